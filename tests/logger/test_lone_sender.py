"""Another process holds the run: `send` says so at once, training goes on, and nobody waits for longer than allowed."""

import subprocess
import sys
import time

import pytest

from recsys.errors import ResourceError
from recsys.logger import companion
from recsys.logger.destination import Destination
from recsys.logger.wandb import Wandb, finish_logging, send_run

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
HELD = "another process is sending the run, or it is still in training"


@pytest.fixture
def other(run):
    """A process that tells of the run until its standard input is closed."""
    Destination(project="shops", name="x", group=None, tags=(), artifacts=True, mode="offline").settle(run)
    call = [sys.executable, "-c", HOLD, str(run / ".wandb.lock")]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout.readline() == "held\n"
        yield started
        started.kill()


@pytest.fixture
def alarm():
    """After 20 s what hangs is a failure; leaves no alarm behind."""
    companion.limit(20)
    yield
    companion.signal.alarm(0)


def logger(run, timeout_s):
    return Wandb(run, "shops", name=None, group=None, tags=[], mode="offline", artifacts=False, timeout_s=timeout_s)


def test_send_says_at_once_that_the_run_is_held(run, other, alarm):
    begun = time.monotonic()
    with pytest.raises(ResourceError, match=rf"{HELD}\n.*where: {run}\n.*fix: wait until that has ended"):
        send_run(run, None)
    assert time.monotonic() - begun < 10
    other.kill()
    other.wait()
    send_run(run, None)
    assert len(list(run.glob("wandb/offline-run-*"))) == 1


def test_a_bundle_waits_no_longer_than_allowed(run, other, alarm):
    begun = time.monotonic()
    with pytest.raises(ResourceError, match=HELD):
        companion.bundle(run, "offline", 1)
    assert 0.9 < time.monotonic() - begun < 10


@pytest.mark.slow
def test_the_end_of_a_run_waits_no_longer_than_allowed(run, other, capsys):
    tried = logger(run, timeout_s=2)
    tried.log_metrics({}, 0)
    begun = time.monotonic()
    finish_logging([tried])
    assert time.monotonic() - begun < 2 + 10  # before its process would be ended
    assert f"{HELD} where: {run}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_failed_run_leaves_no_process_that_waits(run, other):
    tried = logger(run, timeout_s=1)
    tried.log_metrics({}, 0)
    tried.finalize("failed")
    said, _ = tried._process.communicate(timeout=30)
    assert HELD in said.decode()


@pytest.mark.slow
def test_a_run_that_goes_on_has_time_until_the_other_ends(run, other, history):
    tried = logger(run, timeout_s=5)
    tried.log_metrics({}, 0)
    time.sleep(12)  # longer than the time allowed at its end, and than it takes to start
    assert tried._process.poll() is None
    other.stdin.close()
    while not list(run.glob("wandb/offline-run-*/*.wandb")):
        assert tried._process.poll() is None
        time.sleep(0.05)
    tried.finalize("failed")
    tried._process.communicate(timeout=30)
    assert [step for step, _ in history(run)] == [0, 1, 2, 3]
