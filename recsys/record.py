"""Files that a run leaves for later programs: written whole, and read as if a stranger had: checked, or refused with their name."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from recsys.disk import writing
from recsys.errors import Fault, IntegrityError, RecsysError

Made = TypeVar("Made")
CONFIG, LOGGED, CHECKPOINTS = "config.yaml", "metrics.jsonl", "checkpoints"
"""Of a run directory: what was asked for, every logged value, and the folder of weights and of the state of training."""
RESULT = "metrics.json"
"""File of the run directory with the final metrics; a run that has it is finished."""
TESTED = "tested.json"
"""File of the run directory that says which weights were tested: calibration.json, reliability.json and metrics.json are of these."""
LARGEST_BYTES = 10_000_000
REMEDY = "restore it from a copy, or train again"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is there or not there, never half of it.

    Raises:
        ResourceError: the disk is full, or may not be written.
    """
    aside = path.with_name(f".{path.name}.tmp")
    with writing(path):
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        aside.replace(path)


def read_record(path: Path, make: Callable[[Any], Made]) -> Made:
    """What a JSON file stands for.

    Args:
        make: from the parsed document; raises a ValueError, TypeError or KeyError where it does not fit.
    Raises:
        IntegrityError: names the file, and what is wrong with it.
    """
    with reading(path):
        if not path.is_file():
            raise ValueError("it is no regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"it has more than {LARGEST_BYTES:,} bytes")
        return make(json.loads(content))


def write_tested(run: Path, sha256: str) -> None:
    """Write tested.json, whole or not at all; before metrics.json, which ends a run, so that a finished run has both.

    Args:
        sha256: of the weights' file, as their checkpoint.json says.
    """
    write_whole(run / TESTED, json.dumps({"sha256": sha256}) + "\n")


@contextmanager
def reading(path: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Whatever a strange file makes its reader raise, as an IntegrityError with its name."""
    try:
        yield
    except RecsysError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        said = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
        what = f"{path.name} is not what a run writes: {' '.join(said.split()):.200}"
        raise IntegrityError(Fault(what, str(path), remedy)) from error


def typed(document: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """The document, if it is of this kind; true and false are no numbers here."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(document) not in kinds:
        wanted = " or ".join(entry.__name__ for entry in kinds)
        raise TypeError(f"{what} has to be {wanted}, got {document!r:.60}")
    return document


def numbers_by_name(document: Any, what: str) -> dict[str, float | None]:
    """A mapping of names to numbers; None for one that is null or not finite, which JSON has no word for."""
    numbers = {name: typed(value, (int, float, type(None)), f"{what} '{name}'") for name, value in typed(document, dict, what).items()}
    return {name: value if value is not None and math.isfinite(value) else None for name, value in numbers.items()}
