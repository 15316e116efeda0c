"""Raw types of requests: they turn one value, or a column at once, into checked elements of a graph's input. N values."""

import datetime
import math
import numbers
import re
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Any, NamedTuple

import numpy as np

MISSING_INTEGER = -(2**63)
"""A missing value, and list padding, of an integer column; "" is that of a string column."""
ISO = re.compile(r"\d{4}-\d\d-\d\d")
"""Beginning of a moment as text; compact spellings such as 20260131 could be numbers."""
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
TICKS_PER_S = {"": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DIGITS = {"YYYYMMDD": "%Y%m%d", "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S"}
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Unfit(Exception):
    """A value that a column cannot take; its text says what the column takes."""


class Kind(NamedTuple):
    """Conversion of values of one raw type to array elements.

    Attributes:
        element: type of the array.
        missing: the element of a missing value.
        want: values that the type takes, in words.
        convert: one raw value that is not missing to its element; None where it is of another type.
        many: [N] elements of N raw values of the usual types, without Python per value; None where they have to be looked at one by one.
    """

    element: type
    missing: Any
    want: str
    convert: Callable[[Any], Any]
    many: Callable[[Sequence[Any]], np.ndarray | None]

    def one(self, value: Any) -> Any:
        """The element of one raw value; raises `Unfit`."""
        element = self.missing if is_missing(value) else self.convert(value)
        if element is None:
            raise Unfit(self.want)
        return element


def is_missing(value: Any) -> bool:
    """None or NaN."""
    return value is None or (isinstance(value, numbers.Real) and bool(value != value))


def python_values(values: Sequence[Any]) -> Sequence[Any]:
    """An array's values as a list of Python's own; anything else, and moments, as they are."""
    return values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "biufUSO" else values


def _is_number(value: Any, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, np.timedelta64)  # which counts as an integer and is a duration


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit("a string that UTF-8 can hold (no lone surrogates)") from None
    return str(value)


def _filled(values: Sequence[Any], kind: type, missing: Any) -> Sequence[Any] | None:
    """Values of this type, `missing` in the place of None; None where a value is of another type."""
    values = python_values(values)
    types = set(map(type, values))
    if not types <= {kind, NoneType}:
        return None
    return [missing if value is None else value for value in values] if NoneType in types else values


def _texts(values: Sequence[Any]) -> np.ndarray | None:
    texts = _filled(values, str, "")
    try:
        "".join(texts or ()).encode()
    except UnicodeEncodeError:
        return None
    return None if texts is None else np.array(texts, object)


def _integer(value: Any) -> int | None:
    fits = _is_number(value, numbers.Integral) and not isinstance(value, bool) and MISSING_INTEGER <= value < 2**63
    return int(value) if fits else None


def _integers(values: Sequence[Any]) -> np.ndarray | None:
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "i":
        return values.astype(np.int64)
    integers = _filled(values, int, MISSING_INTEGER)
    try:
        return None if integers is None else np.array(integers, np.int64)
    except OverflowError:
        return None


def _boolean(value: Any) -> int | None:
    fits = isinstance(value, bool | np.bool_) or (_is_number(value, numbers.Integral) and value in (0, 1))
    return int(value) if fits else None


def _booleans(values: Sequence[Any]) -> np.ndarray | None:
    booleans = _filled(values, bool, MISSING_INTEGER)
    return None if booleans is None else np.array(booleans, np.int64)


def _number(value: Any) -> float | None:
    if isinstance(value, np.bool_ | np.number) and _is_number(value, np.bool_ | numbers.Real):
        value = float(value)  # float16 cannot hold the limit
    return float(value) if _is_number(value, numbers.Real) and abs(value) <= FLOAT32_MAX else None


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


def _iso_moment(text: str) -> datetime.datetime | None:
    """2026-01-31T12:30:00Z, with another zone, or without one, which is UTC as in training."""
    if not ISO.match(text):
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


class _Moments(NamedTuple):
    """Moments as integers of a unit: seconds, "ms", "us" or "ns" since 1970 UTC, or the digits of "YYYYMMDD" or "YYYYMMDDHHMMSS"."""

    unit: str

    def convert(self, value: Any) -> int | None:
        """Element of a datetime, of a text as of ISO 8601, or of an integer of the unit."""
        if isinstance(value, np.datetime64):
            if np.isnat(value):
                return MISSING_INTEGER
            value = value.astype("datetime64[us]").item()
            if not isinstance(value, datetime.datetime):
                return None  # a year that Python has not
        if isinstance(value, str):
            value = _iso_moment(value)
        if not isinstance(value, datetime.datetime):
            return _integer(value)
        if value != value:  # the NaT of pandas
            return MISSING_INTEGER
        moment = value.replace(tzinfo=value.tzinfo or datetime.UTC)
        if self.unit in DIGITS:
            return int(moment.astimezone(datetime.UTC).strftime(DIGITS[self.unit]))
        microseconds = (moment - EPOCH) // datetime.timedelta(microseconds=1)
        return _integer(microseconds * TICKS_PER_S[self.unit] // 1_000_000)

    def many(self, values: Sequence[Any]) -> np.ndarray | None:
        """Elements of an array of datetimes, or of integers."""
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "M" and self.unit not in DIGITS:
            return values.astype(f"datetime64[{self.unit or 's'}]").astype(np.int64)  # NaT becomes the smallest integer
        return _integers(values)


def moment(unit: str) -> Kind:
    """Raw moments of a column whose integers count `unit`; "" = seconds."""
    moments = _Moments(unit)
    want = f"an integer of {unit}" if unit in DIGITS else f"an integer of {unit or 'second'}{'' if unit else 's'} since 1970 UTC"
    return Kind(np.int64, MISSING_INTEGER, f"a datetime, text as of ISO 8601, or {want}", moments.convert, moments.many)


TEXT = Kind(object, "", "a string", _text, _texts)
INTEGER = Kind(np.int64, MISSING_INTEGER, "an integer of 64 bits", _integer, _integers)
BOOLEAN = Kind(np.int64, MISSING_INTEGER, "true or false", _boolean, _booleans)
NUMBER = Kind(np.float32, math.nan, "a finite number", _number, _numbers)
BY_DTYPE = {"string": TEXT, "int64": INTEGER, "bool": BOOLEAN, "float32": NUMBER}
"""By the `dtype` of a column's statistics in schema.json."""
