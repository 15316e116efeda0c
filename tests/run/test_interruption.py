import signal
import subprocess
import sys

import pytest

from recsys.run.interruption import Interruption

CODE = """
import os, signal, sys, time
from recsys.run.interruption import Interruption
interruption = Interruption()
interruption.{listens}()
try:
    os.kill(os.getpid(), signal.{name})
    print("noted", interruption.number, interruption.exit_code, flush=True)
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
    assert ended("listen", name) == (128 + number, [f"noted {number} {128 + number}"])


@pytest.mark.parametrize(("name", "number"), [("SIGTERM", 15), ("SIGINT", 2)])
def test_where_nothing_can_be_lost_the_first_ends_the_process_in_order(name, number):
    assert ended("obey", name) == (128 + number, ["tidied"])


def test_nothing_has_come_before_one_comes():
    before = signal.getsignal(signal.SIGTERM)
    assert Interruption().number == 0
    assert signal.getsignal(signal.SIGTERM) is before
