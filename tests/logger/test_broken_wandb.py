"""Weights & Biases broken in every way we know of: the run does not notice."""

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HOME = Path(__file__).parents[2]
SMALL = [
    "data.source.num_users=300",
    "data.source.num_items=300",
    "data.source.num_impressions=20000",
    "trainer.max_epochs=6",
    "loader.batch_size=256",
    "model.dim=16",
    "model.embedding_dim=16",
    "task.evaluation.intervals=5",
]
KEY = "0123456789abcdef" * 3


def command(home, run, *arguments):
    return [sys.executable, str(HOME / "train.py"), *SMALL, f"hydra.run.dir={home / run}", *arguments]


def environment(**said):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return kept | {"WANDB_API_KEY": KEY} | said


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the run `none`, which knows of no Weights & Biases."""
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(command(home, "none"), cwd=home, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return home


def assert_unharmed(home, run, done, reason):
    """The run ended well and with the same result, and said once what is wrong."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"run: {home / run}"
    for name in ("metrics.json", "metrics.jsonl", "checkpoints/best/model.safetensors"):
        assert (home / run / name).read_bytes() == (home / "none" / name).read_bytes(), name
    for text in (done.stderr, (home / run / "train.log").read_text()):
        (said,) = [line for line in text.splitlines() if "Weights & Biases" in line]
        assert re.search(reason, said)
        assert f"python -m recsys.report send {home / run}" in said


def trained(home, run, *arguments, seconds=120, **said):
    started = time.monotonic()
    call = command(home, run, "logger=wandb", *arguments)
    done = subprocess.run(call, cwd=home, capture_output=True, text=True, timeout=300, env=environment(**said))
    assert time.monotonic() - started < seconds
    return done


@pytest.fixture
def answering():
    """Starts a server that answers every request with one status; gives its address."""
    servers = []

    def start(status):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()


def test_no_network(home):
    done = trained(home, "no_network", WANDB_BASE_URL="http://127.0.0.1:9")
    assert_unharmed(home, "no_network", done, "CommError")
    assert KEY.encode() not in b"".join(path.read_bytes() for path in (home / "no_network").rglob("*") if path.is_file())


def test_no_key(home):
    assert_unharmed(home, "no_key", trained(home, "no_key", WANDB_API_KEY="", HOME=str(home)), "No API key configured")


def test_bad_key(home, answering):
    assert_unharmed(home, "bad_key", trained(home, "bad_key", WANDB_BASE_URL=answering(401)), "401")


def test_server_that_answers_500(home, answering):
    assert_unharmed(home, "errors", trained(home, "errors", WANDB_BASE_URL=answering(500)), "CommError")


def test_full_disk(home):
    folder = home / "full" / "wandb"
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("needs to mount a small disk")
    try:
        assert_unharmed(home, "full", trained(home, "full", "logger.wandb.mode=offline"), "OSError")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def children(pid):
    """Processes started by one, from /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if path.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append((int(path.parent.name), (path.parent / "cmdline").read_text()))
        except OSError:  # it has just ended
            continue
    return found


def descendant(pid, *names):
    """Waits for the child called so, its child, and so on."""
    for name in names:
        for _ in range(600):
            if found := [child for child, call in children(pid) if name in call]:
                break
            time.sleep(0.05)
        (pid,) = found
    return pid


@pytest.mark.parametrize(("victim", "reason"), [(("companion", "wandb-core"), "Connection|wandb-core"), (("companion",), "without a word")])
def test_process_killed_in_mid_run(home, victim, reason):
    run = f"killed_{victim[-1]}"
    call = command(home, run, "logger=wandb", "logger.wandb.mode=offline")
    started = subprocess.Popen(call, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    os.kill(descendant(started.pid, *victim), signal.SIGKILL)
    out, err = started.communicate(timeout=300)
    assert_unharmed(home, run, subprocess.CompletedProcess(call, started.returncode, out, err), reason)


def test_what_was_missed_is_sent_later(home):
    assert trained(home, "later", WANDB_BASE_URL="http://127.0.0.1:9").returncode == 0
    call = [sys.executable, "-m", "recsys.report", "send", str(home / "later")]
    done = subprocess.run(call, cwd=HOME, capture_output=True, text=True, env=environment(WANDB_MODE="offline"))
    assert done.returncode == 0, done.stderr
    (file,) = (home / "later").glob("wandb/offline-run-*/*.wandb")
    assert json.loads((home / "later" / "wandb.json").read_text())["id"] in file.name
