"""Online: what a server, here one of a few lines, gets of a run that is told of in several goes."""

import http.server
import json
import shutil
import threading
import time

import pytest

from recsys.errors import ResourceError
from recsys.logger.wandb import Wandb, finish_logging, send_run

PROJECT = {"id": "p", "name": "shops", "entity": {"id": "e", "name": "us"}}


class Server(http.server.ThreadingHTTPServer):
    """Takes rows of history, at the line they are sent for; refuses all after `refuse_from`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.rows, self.refuse_from, self.status = {}, 1_000, 200

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def about(self, name):
        known = {"id": "UnVu", "name": name, "displayName": name, "historyLineCount": len(self.rows), "project": PROJECT, "tags": []}
        tail = json.dumps([json.dumps(self.rows[len(self.rows) - 1])]) if self.rows else "[]"
        counts = {"logLineCount": 0, "eventsLineCount": 0, "historyTail": tail, "eventsTail": "[]", "summaryMetrics": "{}"}
        return known | counts | {"config": "{}", "wandbConfig": '{"t": {"1": [1]}}'}

    def answer(self, asked):
        variables = asked.get("variables", {})
        if "query RunResumeStatus" in asked["query"]:
            return {
                "model": {
                    "id": "m",
                    "name": "shops",
                    "entity": PROJECT["entity"],
                    "bucket": self.about(variables["name"]) if self.rows else None,
                }
            }
        if "mutation UpsertBucket" in asked["query"]:
            return {"upsertBucket": {"bucket": self.about(variables["name"]), "inserted": not self.rows}}
        if "mutation CreateRunFiles" in asked["query"]:
            files = [{"name": name, "uploadUrl": f"{self.address}/file"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": files}}
        return {}

    def take(self, stream):
        history = stream.get("files", {}).get("wandb-history.jsonl", {"offset": 0, "content": []})
        for line, content in enumerate(history["content"], history["offset"]):
            if line < self.refuse_from:
                self.rows[line] = json.loads(content)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        document = {}
        if self.path == "/graphql":
            document = {"data": self.server.answer(json.loads(body))}
        elif self.path.endswith("/file_stream"):
            self.server.take(json.loads(body))
        content = json.dumps(document).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, run):
    monkeypatch.setenv("WANDB_MODE", "online")
    started = Server()
    threading.Thread(target=started.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", started.address)
    yield started
    started.shutdown()


def add(run, line):
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def cut(run, lines):
    """Leaves the first lines of metrics.jsonl; gives the whole text."""
    whole = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text("".join(whole.splitlines(keepends=True)[:lines]))
    return whole


def rows_on(server):
    return [(row["_step"], row.get("train/loss")) for _, row in sorted(server.rows.items())]


ALL = [(0, 2.5), (1, 2.0), (2, None), (3, 1e-9)]


def test_a_run_told_of_in_two_goes_has_each_row_once(run, server):
    whole = cut(run, 2)
    assert send_run(run, "shops").startswith(f"{server.address}/us/shops/runs/run-")
    assert rows_on(server) == ALL[:2]
    (run / "metrics.jsonl").write_text(whole)
    send_run(run, None)
    assert rows_on(server) == ALL
    send_run(run, None)
    assert rows_on(server) == ALL


def test_rows_that_were_lost_on_the_way_are_sent_again(run, server):
    server.refuse_from = 2
    send_run(run, "shops")
    assert rows_on(server) == ALL[:2]
    server.refuse_from = 1_000
    send_run(run, None)
    assert rows_on(server) == ALL


def test_what_was_kept_offline_goes_to_the_same_run(run, server, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    send_run(run, "shops")
    monkeypatch.setenv("WANDB_MODE", "online")
    address = send_run(run, None)
    assert address.endswith(json.loads((run / "wandb.json").read_text())["id"])
    assert rows_on(server) == ALL


def test_nothing_is_sent_twice_when_its_files_are_gone(run, server):
    whole = cut(run, 3)
    send_run(run, "shops")
    shutil.rmtree(run / "wandb")
    (run / "metrics.jsonl").write_text(whole)
    send_run(run, None)
    assert rows_on(server) == ALL


@pytest.mark.slow
def test_a_server_that_fails_in_mid_run_costs_no_more_than_the_time_allowed(run, server, capsys):
    tried = Wandb(run, "shops", name=None, group=None, tags=[], mode="online", artifacts=False, timeout_s=3)
    tried.log_metrics({}, 0)
    while not server.rows:
        time.sleep(0.05)
    server.status = 500
    add(run, {"step": 3, "train/loss": 1.0})
    begun = time.monotonic()
    finish_logging([tried])
    assert time.monotonic() - begun < 3 + 10
    assert "TimeoutError: not done within 3 s; not everything was sent" in capsys.readouterr().err
    server.status = 200
    send_run(run, None)
    assert rows_on(server) == [*ALL, (4, 1.0)]


def test_no_server_is_said_with_a_remedy(run, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("HOME", str(run))
    with pytest.raises(ResourceError, match=r"does not take it: UsageError, No API key configured(.|\n)*fix: mend it, then send again"):
        send_run(run, "shops")
