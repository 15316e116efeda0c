import os
import subprocess
import sys
import time

import pytest

from recsys.config.processes import handed_on, received, require_one_directory
from recsys.errors import ConfigError

CONFIG = {"seed": 3, "lr": 1e-05, "list": [1, None], "path": "a b"}


def test_processes_get_the_config_and_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "seed=1,2"])
    with handed_on(CONFIG, tmp_path, "recsys.config.launch"):
        (path,) = tmp_path.iterdir()
        assert sys.argv[1:] == [f"--of-run={path}"]
        with handed_on({}, tmp_path, "recsys.config.launch"):  # by another process, which is refused in the end
            pass
        told = []
        monkeypatch.setattr("recsys.config.processes._die_with", told.append)
        assert received(path) == (CONFIG, tmp_path)
        assert told == [os.getpid()]
    assert sys.argv == ["train.py", "-m", "seed=1,2"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"])
def test_processes_started_together_have_to_be_given_their_directory(monkeypatch, name):
    monkeypatch.setenv(name, "3")
    with pytest.raises(ConfigError, match=r"directory of its own(.|\n)*where: +3 processes(.|\n)*hydra\.run\.dir=DIR"):
        require_one_directory(["seed=1"], multirun=False)
    with pytest.raises(ConfigError, match="each of them would run everything"):
        require_one_directory(["hydra.run.dir=a"], multirun=True)
    require_one_directory(["seed=1", "hydra.run.dir=a"], multirun=False)


@pytest.mark.parametrize("number", ["1", "", "many"])
def test_one_process_names_its_own(monkeypatch, number):
    monkeypatch.setenv("WORLD_SIZE", number)
    require_one_directory([], multirun=False)


def test_what_one_run_tells_its_processes_is_not_taken_for_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with handed_on(CONFIG, tmp_path, "recsys.config.launch"):
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


@pytest.mark.parametrize(("chosen", "inside"), [("2", None), (None, "2")])
def test_lightning_divides_the_cores_unless_the_user_chose(tmp_path, monkeypatch, chosen, inside):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("RECSYS_THREADS", raising=False)
    if chosen:
        monkeypatch.setenv("RECSYS_THREADS", chosen)
    with handed_on(CONFIG, tmp_path, "recsys.config.launch"):
        assert os.environ.get("OMP_NUM_THREADS") == inside
    assert os.environ["OMP_NUM_THREADS"] == "2"
