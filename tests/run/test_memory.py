"""What a training process costs the system when it asks for the same memory again."""

import subprocess
import sys

import pytest
import torch

from recsys.run.memory import keep_memory

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
    """Of ten steps, which use 245,760 pages of 4 KiB."""
    done = subprocess.run([sys.executable, "-c", AGAIN.format(first=first)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_memory_that_was_given_back_is_used_again():
    assert page_faults("from recsys.run.memory import keep_memory; keep_memory()") < 15_000


def test_tensors_are_not_written_before_they_are_used():
    written = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        keep_memory()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = written
