"""Records: JSON files of a run that are read as if a stranger had written them, and refused with their name where they do not fit."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from recsys.disk import OF_THE_MACHINE, error_number
from recsys.errors import Fault, IntegrityError, RecsysError, ResourceError

Record = TypeVar("Record")
RESTORE = "restore it from a copy, or train again"
LARGEST_BYTES = 10_000_000
"""Size of a record, at most."""


def read_record(path: Path, make: Callable[[Any], Record]) -> Record:
    """Read a JSON file as if a stranger had written it; an IntegrityError names the file and what is wrong with it.

    Args:
        make: turns the parsed document into what it stands for; raises a ValueError, TypeError or KeyError where it does not fit.
    """
    with reading(path):
        if not path.is_file():
            raise ValueError("it is no regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"it has more than {LARGEST_BYTES:,} bytes")
        return make(json.loads(content))


@contextmanager
def reading(path: Path, remedy: str = RESTORE) -> Iterator[None]:
    """Turn whatever a strange file makes its reader raise into an IntegrityError with the file's name.

    A ResourceError where the machine refuses, as with too many open files: such a file may be whole.
    """
    try:
        yield
    except RecsysError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        if (remedy_of_machine := OF_THE_MACHINE.get(error_number(error))) is not None:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise ResourceError(Fault(f"cannot be read: {reason}", str(path), remedy_of_machine)) from error
        reason = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
        what = f"{path.name} is not what a run writes: {' '.join(reason.split()):.200}"
        if isinstance(error, FileNotFoundError):
            what = f"{Path(error.filename or path).name} is missing"
        raise IntegrityError(Fault(what, str(path), remedy)) from error


def require_type(document: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """Return a document of one of these types, and raise a TypeError that calls it `what` for another; true and false are no numbers here.

    Example:
        >>> require_type(3, int, "'step'")
        3
        >>> require_type(True, int, "'step'")
        Traceback (most recent call last):
        TypeError: 'step' has to be int, got True
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(document) not in kinds:
        wanted = " or ".join(entry.__name__ for entry in kinds)
        raise TypeError(f"{what} has to be {wanted}, got {document!r:.60}")
    return document


def require_shape(document: Any, shape: Any, what: str) -> Any:
    """Return a document of this shape, and raise a TypeError or KeyError that names its place in `what` for another.

    A shape is a type or a tuple of types; {key: shape}, which keys a document has at least, `str` for all its others; [shape] of every
    entry; or (shape, None), where null may stand for it.

    Example:
        >>> require_shape({"rows": 3, "dates": None}, {"rows": int, "dates": ([str], None)}, "data")
        {'rows': 3, 'dates': None}
        >>> require_shape({"rows": "3"}, {"rows": int}, "data")
        Traceback (most recent call last):
        TypeError: 'data.rows' has to be int, got '3'
    """
    if isinstance(shape, tuple) and shape[-1] is None:
        return None if document is None else require_shape(document, shape[0], what)
    if isinstance(shape, dict):
        entries = require_type(document, dict, f"'{what}'")
        for key in shape.keys() - {str}:
            if key not in entries:
                raise KeyError(f"{what}.{key}")
            require_shape(entries[key], shape[key], f"{what}.{key}")
        for key in entries.keys() - shape.keys() if str in shape else ():
            require_shape(entries[key], shape[str], f"{what}.{key}")
        return document
    if isinstance(shape, list):
        for number, entry in enumerate(require_type(document, list, f"'{what}'")):
            require_shape(entry, shape[0], f"{what}.{number}")
        return document
    return require_type(document, shape, f"'{what}'")


def numbers_by_name(document: Any, what: str) -> dict[str, float | None]:
    """A mapping of names to numbers, with None for a number that is null or not finite, for which JSON has no word.

    Example:
        >>> numbers_by_name({"test/recall@20": 0.25, "test/auc": None}, "metric")
        {'test/recall@20': 0.25, 'test/auc': None}
    """
    entries = require_type(document, dict, what).items()
    numbers = {name: require_type(value, (int, float, type(None)), f"{what} '{name}'") for name, value in entries}
    return {name: value if value is not None and math.isfinite(value) else None for name, value in numbers.items()}
