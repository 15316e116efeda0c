"""The example of a server."""

import importlib.util
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "notebooks" / "http_server.py"


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("http_server", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TIMEOUT_S, module.DEADLINE_S = 0.5, 1.5
    return module


@pytest.fixture(scope="module")
def url(bundle, module):
    with module.server(str(bundle), 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://localhost:{running.server_port}"
        running.shutdown()
        thread.join()


def post(url, content):
    """Code and document of the response."""
    try:
        with urllib.request.urlopen(url, data=content.encode(), timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_request_is_answered(url):
    asked = {"rows": [{"history": ["c", "c", "a"]}, {}], "k": 2, "exclude": [["a"], None]}
    want = [{"items": ["c", "b"], "scores": [2.0, 0.0]}, {"items": ["a", "b"], "scores": [0.0, 0.0]}]
    assert post(url, json.dumps(asked)) == (200, want)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"rows": [{}, {"history": "c"}]}', "row 1, 'history': got 'c' (str); want a list"),
        ('{"rows": [{}], "k": 0}', "'k': got 0 (int); want an integer of at least 1"),
        ("{}", "'rows'"),
        ("[1]", ""),
        ("{", "Expecting property name"),
    ],
)
def test_bad_request_is_400_with_the_field_named(url, content, message):
    code, body = post(url, content)
    assert code == 400
    assert message in body["error"]


def raw(url, *parts, pause_s=0.0):
    """What the server sends back for these bytes, sent with a pause before each."""
    with socket.create_connection(("localhost", int(url.rpartition(":")[2])), timeout=10) as connection:
        try:
            for part in parts:
                time.sleep(pause_s)
                connection.sendall(part)
            return connection.makefile("rb").read()
        except OSError:  # it has hung up
            return b""


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


def test_request_without_a_length_is_411(url):
    for header in (b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: -1\r\n", b"Content-Length: x\r\n"):
        assert raw(url, POST + header + b"\r\n").startswith(b"HTTP/1.0 411")


@pytest.mark.parametrize("length", [b"1000001", b"9" * 5000])
def test_body_that_is_too_long_is_413_and_never_read(url, length):
    assert raw(url, POST + b"Content-Length: " + length + b"\r\n\r\n").startswith(b"HTTP/1.0 413")


def test_body_that_does_not_come_is_408(url):
    started = time.monotonic()
    assert raw(url, POST + b"Content-Length: 10\r\n\r\n{").startswith(b"HTTP/1.0 408")
    assert time.monotonic() - started < 5


def test_headers_that_do_not_come_end_the_connection(url):
    assert raw(url, b"POST / HTTP/1.1\r\n") == b""


def test_a_client_that_sends_a_byte_now_and_then_is_cut_off(url):
    started = time.monotonic()
    assert raw(url, POST, b"Content-Length: 99\r\n\r\n", *[b"x"] * 30, pause_s=0.3)[:12] in (b"", b"HTTP/1.0 400")
    assert time.monotonic() - started < 5
