"""How a training process asks for memory."""

import ctypes
import os

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of settings in malloc.h of glibc."""
LARGEST_KEPT = 32 << 20
"""Bytes; glibc takes no larger threshold for what it keeps."""


def keep_memory() -> None:
    """Let the process keep memory that tensors gave back, in pages of 2 MiB, for the next ones; to be called before the first tensor.

    A training step on a CPU makes and frees the same large tensors again and again. By default each of them is new to the system, which
    clears it page by page of 4 KiB: half of the time of a mixture of experts, whose products are fast. Results are the same, and
    repeatable: what is read was written before.

    Takes effect with glibc, and large pages where the system gives them to who asks; elsewhere nothing changes.
    """
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  a property of the module; it would write every new tensor twice
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by torch when it first allocates
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
