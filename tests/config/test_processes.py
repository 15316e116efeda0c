import os
import subprocess
import sys
import time

import pytest

from recsys.config.processes import handed_on, received

CONFIG = {"seed": 3, "lr": 1e-05, "list": [1, None], "path": "a b"}


def test_processes_get_the_config_and_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "seed=1,2"])
    with handed_on(CONFIG, tmp_path):
        (path,) = tmp_path.iterdir()
        assert sys.argv[1:] == [f"--of-run={path}"]
        with handed_on({}, tmp_path):  # by another process, which is refused in the end
            pass
        told = []
        monkeypatch.setattr("recsys.config.processes._die_with", told.append)
        assert received(path) == (CONFIG, tmp_path)
        assert told == [os.getpid()]
    assert sys.argv == ["train.py", "-m", "seed=1,2"]
    assert list(tmp_path.iterdir()) == []


def test_what_one_run_tells_its_processes_is_not_taken_for_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with handed_on(CONFIG, tmp_path):
        os.environ |= {"MASTER_PORT": "2", "LOCAL_RANK": "0"}
    assert os.environ["MASTER_PORT"] == "1"
    assert "LOCAL_RANK" not in os.environ


CHILD = """
import sys, time
from pathlib import Path
from recsys.config.processes import received
received(Path(sys.argv[1]))
print("up", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
from pathlib import Path
Path(sys.argv[1]).write_text('{"run": "x", "config": {}, "process": %s}' % __import__("os").getpid())
subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]])
time.sleep(60)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's doing")
def test_processes_die_with_the_one_that_started_them(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "of"), CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "up\n"
    parent.kill()
    began = time.monotonic()
    assert parent.stdout.read() == ""  # until the child, which has it too, is gone
    assert time.monotonic() - began < 30
