"""Bytes of this process, now and at its peak, as Linux counts them."""

import ctypes
import re
from pathlib import Path

PROCESS = Path("/proc/self")


def memory(key: str) -> int:
    """Bytes of this process: VmRSS = now, RssAnon = now without files that are mapped, VmHWM = at most since the start or
    `forget_peak`.

    Not `ru_maxrss`: a process inherits that of the one which started it.
    """
    return 1024 * int(re.search(rf"{key}:\s+(\d+) kB", (PROCESS / "status").read_text())[1])


def give_back() -> None:
    """Memory that was freed and kept goes to the system, so that it counts again when it is used again."""
    ctypes.CDLL(None).malloc_trim(0)


def forget_peak() -> None:
    """VmHWM starts anew from what is in use."""
    (PROCESS / "clear_refs").write_text("5")
