import signal
import subprocess
import sys

import pytest
import torch

from recsys.run.process import Interruption, keep_memory

CODE = """
import os, signal, sys, time
from recsys.run.process import Interruption
interruption = Interruption()
interruption.{listens}()
try:
    os.kill(os.getpid(), signal.{name})
    print("noted", interruption.number, flush=True)
    os.kill(os.getpid(), signal.{name})
    print("never")
finally:
    print("tidied", flush=True)
"""


def ended(listens, name):
    done = subprocess.run([sys.executable, "-c", CODE.format(listens=listens, name=name)], capture_output=True, text=True)
    return done.returncode, done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(("name", "number"), [("SIGTERM", 15), ("SIGINT", 2)])
def test_the_first_signal_is_noted_and_the_second_ends_the_process_at_once(name, number):
    assert ended("listen", name) == (128 + number, [f"noted {number}"])


@pytest.mark.parametrize(("name", "number"), [("SIGTERM", 15), ("SIGINT", 2)])
def test_where_nothing_can_be_lost_the_first_ends_the_process_in_order(name, number):
    assert ended("obey", name) == (128 + number, ["tidied"])


def test_nothing_has_come_before_one_comes():
    before = signal.getsignal(signal.SIGTERM)
    assert Interruption().number == 0
    assert signal.getsignal(signal.SIGTERM) is before


AGAIN = """
import resource, torch
{first}
def step():
    return [torch.empty(4 << 20).fill_(1.0) for _ in range(6)]  # 6 times 16 MiB
for _ in range(2):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first=""):
    """Page faults of ten steps, which use 245,760 pages of 4 KiB."""
    done = subprocess.run([sys.executable, "-c", AGAIN.format(first=first)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_memory_that_was_given_back_is_used_again():
    assert page_faults("from recsys.run.process import keep_memory; keep_memory()") < 15_000


def test_tensors_are_not_written_before_they_are_used():
    written = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        keep_memory()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = written
