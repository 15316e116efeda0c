"""Columns of raw request values to the arrays that a graph reads, each value checked. B rows, L list length."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from recsys.serve.kinds import BY_DTYPE, NUMBER, Kind, Unfit, is_missing, moment, python_values

USER = -1
"""`BadRow.row` of the one user that a ranker's rows share."""


class BadRow(ValueError):
    """A row that cannot be answered.

    Attributes:
        row: its number, from 0; -1 is the `user` of `Ranker.predict`.
        field: the column.
        got: the value as text, cut, with its type.
        want: what the column takes.
        of_row: the text names the row alone, as its fault is not the value of one column.
    """

    def __init__(self, row: int, field: str, got: str, want: str, of_row: bool = False):
        super().__init__(row, field, got, want, of_row)
        self.row, self.field, self.got, self.want, self.of_row = row, field, got, want, of_row

    def __str__(self) -> str:
        where = "user" if self.row == USER else f"row {self.row}"
        return f"{where}{'' if self.of_row else f', {self.field!r}'}: got {self.got}; want {self.want}"


def cut(value: Any) -> str:
    """A value as text of bounded length."""
    try:
        text = repr(value[:60] if isinstance(value, str | bytes | bytearray) else value)
    except Exception:  # nested too deep, an integer of too many digits, a broken __repr__: the request is wrong, not the server
        text = "a value that cannot be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def value_text(value: Any) -> str:
    """A value as text of bounded length, with its type."""
    return f"{cut(value)} ({type(value).__name__})"


class Value:
    """One raw value per row: [B]."""

    def __init__(self, column: str, kind: Kind):
        self.column, self.kind = column, kind

    def array(self, values: Sequence[Any], bad: list[BadRow]) -> np.ndarray:
        """The column of these rows. A bad row is added to `bad`, and counts as missing."""
        array = self.kind.many(values)
        if array is not None:
            return array
        entries = [elements(self.kind, [value], row, self.column, bad) or [self.kind.missing] for row, value in enumerate(values)]
        return np.array(list(chain.from_iterable(entries)), self.kind.element)


class List:
    """A list per row: [B, L] as wide as the longest kept list, at least 1, padded on the right."""

    def __init__(self, column: str, dtype: str, *, keep: slice, gaps: bool):
        self.column, self.kind, self.keep, self.gaps = column, BY_DTYPE[dtype], keep, gaps

    def array(self, values: Sequence[Any], bad: list[BadRow]) -> np.ndarray:
        """See `Value.array`."""
        lists = [self._entries(value, row, bad) for row, value in enumerate(values)]
        entries = self.kind.many(list(chain.from_iterable(lists)))
        if entries is None:
            lists = [elements(self.kind, entries, row, self.column, bad) for row, entries in enumerate(lists)]
            entries = np.array(list(chain.from_iterable(lists)), self.kind.element)
        lengths = np.array([len(entries) for entries in lists], np.int64)
        padded = np.full((len(lists), max(1, lengths.max(initial=0))), self.kind.missing, self.kind.element)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = entries
        return padded

    def _entries(self, value: Any, row: int, bad: list[BadRow]) -> Sequence[Any]:
        entries = list_entries(value, row, self.column, bad)
        if self.gaps:
            return python_values(entries[self.keep])
        entries = python_values(entries)
        if not set(map(type, entries)) <= {int, str}:
            entries = [entry for entry in entries if not is_missing(entry)]
        return entries[self.keep]


class Vector:
    """`size` numbers per row: [B, size]; zeros where missing."""

    def __init__(self, column: str, size: int):
        self.column, self.size = column, size

    def array(self, values: Sequence[Any], bad: list[BadRow]) -> np.ndarray:
        """See `Value.array`."""
        rows = [self._entries(value, row, bad) for row, value in enumerate(values)]
        return np.array(rows, np.float32).reshape(len(values), self.size)

    def _entries(self, value: Any, row: int, bad: list[BadRow]) -> np.ndarray:
        nothing = np.zeros(self.size, np.float32)
        if is_missing(value):
            return nothing
        before = len(bad)
        entries = list_entries(value, row, self.column, bad)
        numbers = NUMBER.many(entries)
        if numbers is None:
            numbers = np.array(elements(NUMBER, entries, row, self.column, bad), np.float32)
        if len(numbers) == self.size and not np.isnan(numbers).any():
            return numbers
        if len(bad) == before:  # else the fault is reported
            bad.append(BadRow(row, self.column, value_text(value), f"{self.size} finite numbers"))
        return nothing


class Number:
    """A number per row: [B]; one that training would have refused is a bad row."""

    def __init__(self, column: str, low: float | None, high: float | None):
        self.value, self.low, self.high = Value(column, NUMBER), low, high

    def array(self, values: Sequence[Any], bad: list[BadRow]) -> np.ndarray:
        """See `Value.array`."""
        array = self.value.array(values, bad)
        for limit, outside, want in ((self.low, np.less, "at least"), (self.high, np.greater, "at most")):
            if limit is not None:
                for row in np.flatnonzero(outside(array, np.float32(limit))).tolist():
                    bad.append(BadRow(row, self.value.column, value_text(values[row]), f"a number of {want} {limit:g}, as in training"))
                    array[row] = np.nan
        return array


Field = Value | List | Vector | Number


def request_fields(schema: dict, *entities: str) -> dict[str, Field]:
    """{column: field} of every feature of these entities in a parsed schema.json."""
    features = [feature for feature in schema["features"] if feature["entity"] in entities]
    return {feature["column"]: _field(feature, schema["statistics"]) for feature in features}


def _field(feature: dict, statistics: dict) -> Field:
    column = feature["column"]
    match feature["kind"]:
        case "History":
            return List(column, statistics[feature["of"]]["dtype"], keep=slice(-feature["max_len"], None), gaps=True)
        case "MultiCategorical":
            return List(column, statistics[column]["dtype"], keep=slice(feature["max_len"]), gaps=False)
        case "Vector":
            return Vector(column, statistics[column]["size"])
        case "Timestamp":
            return Value(column, moment(statistics.get(column, {}).get("unit", "")))
        case "Numeric":
            return Number(column, feature.get("low"), feature.get("high"))
        case "Categorical":
            return Value(column, BY_DTYPE[statistics[column]["dtype"]])
    raise ValueError(f"'{column}' is a {feature['kind']}, which this version cannot serve; install the version that exported the bundle")


def history_columns(schema: dict, *, of: str | None = None) -> list[str]:
    """Columns of a parsed schema.json that hold a user's earlier events; with `of`, those that list this item column."""
    return [feature["column"] for feature in schema["features"] if "of" in feature and of in (None, feature["of"])]


def ids_field(column: str, dtype: str) -> List:
    """Lists of item ids: all entries, without the missing ones."""
    return List(column, dtype, keep=slice(None), gaps=False)


def is_list(value: Any) -> bool:
    """Whether a value is a list of some kind."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def list_entries(value: Any, row: int, column: str, bad: list[BadRow]) -> Sequence[Any]:
    """Entries of a list value; [] where it is missing, or bad and reported."""
    if is_list(value):
        return value
    if not is_missing(value):
        bad.append(BadRow(row, column, value_text(value), "a list"))
    return []


def elements(kind: Kind, values: Iterable[Any], row: int, column: str, bad: list[BadRow]) -> list[Any]:
    """Graph elements of the values of one row; [] where one is bad: the first is reported."""
    entries = []
    for value in values:
        try:
            entries.append(kind.one(value))
        except Unfit as unfit:
            bad.append(BadRow(row, column, value_text(value), str(unfit)))
            return []
    return entries
