"""Raw types of requests: they turn one value, or a column at once, into checked elements of a graph's input. N values."""

import datetime
import math
import numbers
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Any, NamedTuple

import numpy as np

MISSING_INTEGER = -(2**63)
"""A missing value, and list padding, of an integer column; "" is that of a string column."""
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Unfit(Exception):
    """A value that a column cannot take; its text says what the column takes."""


class Kind(NamedTuple):
    """How values of one raw type become array elements.

    Attributes:
        element: of the array.
        missing: the element of a missing value.
        one: one raw value to its element; raises `Unfit`.
        many: [N] elements of N raw values of the usual types, without Python per value; None where they have to be looked at one by one.
    """

    element: type
    missing: Any
    one: Callable[[Any], Any]
    many: Callable[[Sequence[Any]], np.ndarray | None]


def is_missing(value: Any) -> bool:
    """None or NaN."""
    return value is None or (isinstance(value, numbers.Real) and bool(value != value))


def python_values(values: Sequence[Any]) -> Sequence[Any]:
    """An array's values as a list of Python's own; anything else, and moments, as they are."""
    return values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "biufUSO" else values


def _is_number(value: Any, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, np.timedelta64)  # which counts as an integer and is a duration


def _text(value: Any) -> str:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit("a string that UTF-8 can hold (no lone surrogates)") from None
        return str(value)
    if is_missing(value):
        return ""
    raise Unfit("a string")


def _texts(values: Sequence[Any]) -> np.ndarray | None:
    values = python_values(values)
    types = set(map(type, values))
    if not types <= {str, NoneType}:
        return None
    if NoneType in types:
        values = ["" if value is None else value for value in values]
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return None
    return np.array(values, object)


def _integer(value: Any) -> int:
    if _is_number(value, numbers.Integral) and not isinstance(value, bool) and MISSING_INTEGER <= value < 2**63:
        return int(value)
    if is_missing(value):
        return MISSING_INTEGER
    raise Unfit("an integer of 64 bits")


def _integers(values: Sequence[Any]) -> np.ndarray | None:
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "i":
        return values.astype(np.int64)
    values = python_values(values)
    types = set(map(type, values))
    if not types <= {int, NoneType}:
        return None
    if NoneType in types:
        values = [MISSING_INTEGER if value is None else value for value in values]
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return None


def _boolean(value: Any) -> int:
    if isinstance(value, bool | np.bool_) or (_is_number(value, numbers.Integral) and value in (0, 1)):
        return int(value)
    if is_missing(value):
        return MISSING_INTEGER
    raise Unfit("true or false")


def _booleans(values: Sequence[Any]) -> np.ndarray | None:
    values = python_values(values)
    if not set(map(type, values)) <= {bool, NoneType}:
        return None
    return np.array([MISSING_INTEGER if value is None else value for value in values], np.int64)


def _number(value: Any) -> float:
    if is_missing(value):
        return math.nan
    if isinstance(value, np.bool_ | np.number) and _is_number(value, np.bool_ | numbers.Real):
        value = float(value)  # float16 cannot hold the limit
    if _is_number(value, numbers.Real) and abs(value) <= FLOAT32_MAX:
        return float(value)
    raise Unfit("a finite number")


def _numbers(values: Sequence[Any]) -> np.ndarray | None:
    if isinstance(values, np.ndarray):
        if values.ndim != 1 or values.dtype.kind not in "biuf":
            return None
    elif not set(map(type, values)) <= {float, int, bool, NoneType}:
        return None
    try:
        elements = np.array(values, np.float64)  # None becomes NaN
    except OverflowError:
        return None
    return elements.astype(np.float32) if (np.isnan(elements) | (np.abs(elements) <= FLOAT32_MAX)).all() else None


def _moment(value: Any) -> int:
    if isinstance(value, np.datetime64):
        return MISSING_INTEGER if np.isnat(value) else int(value.astype("datetime64[s]").astype(np.int64))
    if isinstance(value, datetime.datetime):
        if value != value:  # the NaT of pandas
            return MISSING_INTEGER
        return math.floor(value.replace(tzinfo=value.tzinfo or datetime.UTC).timestamp())
    try:
        return _integer(value)
    except Unfit:
        raise Unfit("a datetime, or an integer of seconds since 1970 UTC") from None


def _moments(values: Sequence[Any]) -> np.ndarray | None:
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "M":
        return values.astype("datetime64[s]").astype(np.int64)  # NaT becomes the smallest integer
    return _integers(values)


TEXT = Kind(object, "", _text, _texts)
INTEGER = Kind(np.int64, MISSING_INTEGER, _integer, _integers)
BOOLEAN = Kind(np.int64, MISSING_INTEGER, _boolean, _booleans)
NUMBER = Kind(np.float32, math.nan, _number, _numbers)
MOMENT = Kind(np.int64, MISSING_INTEGER, _moment, _moments)
BY_DTYPE = {"string": TEXT, "int64": INTEGER, "bool": BOOLEAN, "float32": NUMBER}
"""By the `dtype` of a column's statistics in schema.json."""
