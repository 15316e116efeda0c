"""One process holds a lock, and its death ends it."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from recsys.disk.locks import is_locked, lock, try_lock

HOLD = "import sys; from pathlib import Path; from recsys.disk.locks import lock; own = lock(Path(sys.argv[1])); print('held', flush=True)"
HOLD += "; sys.stdin.read()"


@pytest.fixture(params=["file", "folder"])
def place(request, tmp_path):
    if request.param == "folder":
        (tmp_path / "folder").mkdir()
    return tmp_path / request.param


def test_second_lock_is_refused_until_the_first_is_released(place):
    own = lock(place)
    assert is_locked(place)
    assert try_lock(place) is None
    own.release()
    assert not is_locked(place)
    with lock(place):
        assert is_locked(place)
    assert not is_locked(place)


def test_lock_is_waited_for(place):
    own, order = lock(place), []
    waiting = threading.Thread(target=lambda: (lock(place).release(), order.append("waited")))
    waiting.start()
    time.sleep(0.05)
    order.append("released")
    own.release()
    waiting.join(10)
    assert order == ["released", "waited"]


def test_lock_of_a_killed_process_ends_with_it(place):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert is_locked(place)
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert not is_locked(place)


def test_forked_child_does_not_share_a_lock(place):
    own = lock(place)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, b"begun")
        time.sleep(60)
    os.read(reads, 5)
    own.release()
    assert not is_locked(place)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_program_that_is_given_the_descriptor_shares_the_lock(place):
    with lock(place) as own:
        code = "import sys; print('begun', flush=True); sys.stdin.read()"
        call = [sys.executable, "-c", code]
        other = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[own.descriptor])
        assert other.stdout.readline() == "begun\n"
    assert is_locked(place)
    other.communicate()
    assert not is_locked(place)


def test_lock_that_nobody_refers_to_is_released(place):
    lock(place)
    assert not is_locked(place)


def test_asking_makes_no_file(tmp_path):
    assert not is_locked(tmp_path / "none")
    assert os.listdir(tmp_path) == []
