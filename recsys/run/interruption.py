"""SIGTERM and Ctrl-C: the first asks to stop where nothing is lost, the second ends the process at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Listens between `listen` and the end of the process.

    Attributes:
        number: of the signal that came, such as 15; 0 = none has.
    """

    def __init__(self):
        self.number = 0

    def listen(self) -> None:
        """From now on signals are noted instead of obeyed."""
        self._hear(self._noted)

    def obey(self) -> None:
        """From now on a signal ends the process in an orderly way, with 128 + its number."""
        self._hear(self._obeyed)

    @property
    def exit_code(self) -> int:
        """Code that the process ends with once its state is saved."""
        return 128 + self.number

    def _noted(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._hear(self._at_once)

    def _obeyed(self, number: int, frame: FrameType | None) -> None:
        self._hear(self._at_once)
        sys.exit(128 + number)

    def _at_once(self, number: int, frame: FrameType | None) -> None:
        os._exit(128 + number)

    def _hear(self, handler) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handler
            for number in SIGNALS:
                signal.signal(number, handler)


@contextmanager
def signals_restored() -> Iterator[None]:
    """Give SIGTERM and Ctrl-C back to who handled them before the block, which may handle them in its own way."""
    if threading.current_thread() is not threading.main_thread():  # elsewhere nothing changes them
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
