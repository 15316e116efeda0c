"""One process at a time tells Weights & Biases of a run: it holds a file of the run directory for as long as it lives."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from recsys.disk.locks import is_locked, lock, try_lock
from recsys.errors import Fault, ResourceError

FILE = ".wandb.lock"


@contextlib.contextmanager
def alone(run: Path, *, waits: bool) -> Iterator[None]:
    """Be the one that tells of the run.

    Args:
        waits: until the one before has ended, or a TimeoutError from a signal handler ends the wait; otherwise there is no wait.
    Raises:
        ResourceError: another process holds the run.
    """
    try:
        own = lock(run / FILE) if waits else try_lock(run / FILE)
    except TimeoutError:
        own = None
    if own is None:
        what = "another process is sending the run, or it is still in training"
        raise ResourceError(Fault(what, str(run), "wait until that has ended, then send again"))
    with own:
        yield


def is_held(run: Path) -> bool:
    """Whether a process tells of the run now."""
    return is_locked(run / FILE)
