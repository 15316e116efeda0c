"""The process that trains: how it hears signals, logs to a file, and keeps memory."""

import ctypes
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from recsys.disk import writing
from recsys.disk.scrub import ScrubbedFormatter

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT)
FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
OTHERS = ("pytorch_lightning", "lightning_fabric")
"""Loggers that write to the terminal, which belongs to the bars and the table."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of settings in malloc.h of glibc."""
LARGEST_KEPT = 32 << 20
"""Bytes; glibc takes no larger threshold for what it keeps."""


class Interruption:
    """SIGTERM and Ctrl-C from `listen` on: the first is noted in `number` (0 = none has come), the second ends the process at once."""

    def __init__(self):
        self.number = 0

    def listen(self) -> None:
        """From now on signals are noted instead of obeyed."""
        self._set_handler(self._note)

    def obey(self) -> None:
        """From now on a signal ends the process in an orderly way, with 128 + its number."""
        self._set_handler(self._exit)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._set_handler(self._exit_at_once)

    def _exit(self, number: int, frame: FrameType | None) -> None:
        self._set_handler(self._exit_at_once)
        sys.exit(128 + number)

    def _exit_at_once(self, number: int, frame: FrameType | None) -> None:
        os._exit(128 + number)

    def _set_handler(self, handler) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handler
            for number in SIGNALS:
                signal.signal(number, handler)


@contextmanager
def signals_restored() -> Iterator[None]:
    """Give SIGTERM and Ctrl-C back, after a block that may handle them in its own way, to who handled them before."""
    if threading.current_thread() is not threading.main_thread():  # elsewhere nothing changes them
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append what is logged within the block to a file, without secrets, and the error that ends it; afterwards logging is as it was."""
    with writing(path):
        handler = logging.FileHandler(path)
    handler.setFormatter(ScrubbedFormatter(FORMAT))
    root, others = logging.getLogger(), [logging.getLogger(name) for name in OTHERS]
    level, showwarning = root.level, warnings.showwarning
    before = [(each, each.handlers, each.propagate) for each in others]
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for each in others:
        each.handlers, each.propagate = [handler], False
    logging.captureWarnings(True)
    captures = warnings.showwarning is not showwarning
    try:
        yield
    except Exception:
        log.exception("ended early")
        raise
    finally:
        if captures:
            logging.captureWarnings(False)
        for each, handlers, propagate in before:
            each.handlers, each.propagate = handlers, propagate
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def keep_memory() -> None:
    """Let the process keep memory that tensors gave back, in pages of 2 MiB, for the next ones; call it before the first tensor.

    A training step on a CPU makes and frees the same large tensors again and again. By default each of them is new to the system, which
    clears it page by page of 4 KiB: half of the time of a mixture of experts, whose products are fast. Results are the same, and
    repeatable: what is read was written before. Takes effect with glibc, and large pages where the system gives them.
    """
    import torch  # here: it takes seconds, which signals and logs can do without

    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  a property of the module; it would write every new tensor twice
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by torch when it first allocates
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
