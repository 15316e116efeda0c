"""The example of a server."""

import importlib.util
import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "notebooks" / "http_server.py"


@pytest.fixture(scope="module")
def url(bundle):
    spec = importlib.util.spec_from_file_location("http_server", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
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
