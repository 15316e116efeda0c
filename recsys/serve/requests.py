"""Rows as they are sent -> checked arrays of the good ones. B rows."""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from recsys.serve.fields import BadRow, Field, cut, is_list, value_text
from recsys.serve.kinds import is_missing


def opened(kind: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """A serving object anew, as pickle reads it: its folder is opened and checked again."""
    return kind(**arguments)


@runtime_checkable
class Table(Protocol):
    """A `pyarrow.Table` or `RecordBatch`, which this package does not import."""

    @property
    def column_names(self) -> list[str]: ...

    def to_pydict(self) -> dict[str, list[Any]]: ...


Rows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]] | Table
"""One dict of raw features per row, one dict of columns, or an arrow table."""


class Columns(NamedTuple):
    """Raw values by column, not checked yet.

    Attributes:
        values: {column: one value per row}, None where a row has none.
        number: of rows.
        bad: rows that are no dict of known columns.
    """

    values: dict[str, Sequence[Any]]
    number: int
    bad: list[BadRow]


class Request(NamedTuple):
    """The rows that can be answered.

    Attributes:
        feed: {column: [B, ...]} of the good rows.
        good: [B] their numbers.
    """

    feed: dict[str, np.ndarray]
    good: np.ndarray


class Ignored:
    """Fields of requests that no model reads, and that are left out instead of refused.

    Attributes:
        names: of the first 100, in the order in which they came.
    """

    LONGEST = 100

    def __init__(self) -> None:
        self.names: list[str] = []

    def add(self, fields: Collection[object]) -> None:
        """Note fields of a request."""
        for name in map(_name, fields):
            if len(self.names) < self.LONGEST and name not in self.names:
                self.names.append(name)


def by_column(rows: Rows, known: Collection[str], ignored: Ignored | None = None) -> Columns:
    """Every known column. Unknown ones go to `ignored`; without it, a ValueError names one. Another names columns of different lengths."""
    if not isinstance(rows, Mapping | Sequence) and isinstance(rows, Table):
        if len(set(rows.column_names)) < len(rows.column_names):
            raise ValueError(f"rows: got a table with two columns of one name: {rows.column_names}; want each once")
        rows = rows.to_pydict()
    if isinstance(rows, Mapping):
        unknown = [name for name in rows if name not in known]
        if ignored is not None:
            ignored.add(unknown)
            rows = {name: values for name, values in rows.items() if name in known}
        elif unknown:
            raise ValueError(f"rows: got a field {cut(unknown[0])}; want {choices(unknown[0], known)}")
        single = [column for column, values in rows.items() if not is_list(values)]
        if single:
            raise ValueError(f"rows, '{single[0]}': got {value_text(rows[single[0]])}; want a list")
        lengths = {column: len(values) for column, values in rows.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"rows: got columns of different lengths: {lengths}; want one value per row in each")
        number = max(lengths.values(), default=0)
        return Columns({column: rows.get(column, [None] * number) for column in known}, number, [])
    if not isinstance(rows, Sequence):
        raise ValueError(f"rows: got {value_text(rows)}; want a list of dicts, a dict of columns or an arrow table")
    names, bad = set(known), []
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping):
            bad.append(BadRow(position, "", value_text(row), "a dict of raw features", True))
        elif not row.keys() <= names:  # a misspelt field would count as missing, in silence
            unknown = [name for name in row if name not in names]
            if ignored is not None:
                ignored.add(unknown)
                continue
            bad += [BadRow(position, _name(name), f"a field {cut(name)}", choices(name, known), True) for name in unknown]
    dicts = [row if isinstance(row, Mapping) else {} for row in rows] if bad else rows
    return Columns({column: [row.get(column) for row in dicts] for column in known}, len(rows), bad)


def read(columns: Columns, fields: Mapping[str, Field], histories: Sequence[str], errors: list[BadRow] | None) -> Request:
    """Check every value; the arrays of the good rows are those they would have without the bad ones.

    Args:
        fields: {column: field} of what is read.
        histories: columns of equal length in each row: entry i of each tells of the same event.
        errors: takes the bad rows, in their order, one for each bad field. None: the first is raised.
    """
    bad = columns.bad + unaligned(columns, histories)
    feed = {column: field.array(columns.values[column], bad) for column, field in fields.items()}
    if not bad:
        return Request(feed, np.arange(columns.number))
    first: dict[tuple[int, str], BadRow] = {}
    for fault in bad:
        first.setdefault((fault.row, fault.field), fault)
    faults = sorted(first.values(), key=lambda fault: fault.row)
    if errors is None:
        raise faults[0]
    errors += faults
    rows = {fault.row for fault in faults}
    good = [row for row in range(columns.number) if row not in rows]
    values_of_good = {column: [columns.values[column][row] for row in good] for column in fields}
    return Request({column: field.array(values_of_good[column], []) for column, field in fields.items()}, np.array(good, np.int64))


def unaligned(columns: Columns, histories: Sequence[str]) -> list[BadRow]:
    """Rows with histories of different numbers of events."""
    bad = []
    if len(histories) > 1:
        for row, values in enumerate(zip(*(columns.values[column] for column in histories))):
            lengths = {column: len(value) if is_list(value) else 0 for column, value in zip(histories, values)}
            if len(set(lengths.values())) > 1 and all(is_list(value) or is_missing(value) for value in values):
                bad.append(BadRow(row, histories[0], f"histories of different lengths: {lengths}", "one entry per event in each", True))
    return bad


def choices(name: object, known: Collection[str]) -> str:
    """The known names, and the nearest one."""
    close = difflib.get_close_matches(_name(name), list(known), n=1)
    return f"one of {list(known)}" + (f"; did you mean {close[0]!r}?" if close else "")


def _name(key: object) -> str:
    """A key of a row as the name of a field, cut."""
    return key[:100] if isinstance(key, str) else cut(key)
