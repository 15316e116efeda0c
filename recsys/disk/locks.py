"""Locks of the kernel: one process holds a file or folder, and a killed one leaves no lock behind."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from weakref import WeakSet, finalize


class Lock:
    """A kernel lock of a file or folder, held until it is released or its process dies, also by kill -9.

    It is an flock of an open descriptor of its own, so threads of one process exclude each other too. A forked child does not share it: a
    worker that makes batches may outlive its run by seconds. A program started with `pass_fds=[lock.descriptor]` does.
    """

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.release = finalize(self, os.close, descriptor)
        _locks.add(self)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


_locks: WeakSet[Lock] = WeakSet()
"""Locks of this process."""


def _release_in_child() -> None:
    for each in list(_locks):
        each.release()


os.register_at_fork(after_in_child=_release_in_child)


def lock(path: Path) -> Lock:
    """Wait for the lock of a folder, or of a file that is made if need be."""
    return _locked(path, fcntl.LOCK_EX)


def try_lock(path: Path) -> Lock | None:
    """The lock of a folder, or of a file that is made if need be; None where another process holds it."""
    try:
        return _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file or folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _locked(path: Path, how: int) -> Lock:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:  # also a TimeoutError that a signal handler raises
        os.close(descriptor)
        raise
    return Lock(descriptor)
