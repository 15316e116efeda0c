"""The log of a run: what Python's logging says while the run trains, in a file of its directory."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.disk import writing

log = logging.getLogger(__name__)
FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
OTHERS = ("pytorch_lightning", "lightning_fabric")
"""Loggers that write to the terminal, which belongs to the bars and the table."""


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append what is logged within the block to a file, and the error that ends it; afterwards logging is as it was."""
    with writing(path):
        handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(FORMAT))
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
