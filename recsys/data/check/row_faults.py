"""Rows that break a rule: counted in one pass over a table, named by their first few, left out or written aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from recsys.disk import whole_file
from recsys.errors import Fault
from recsys.schema.raw import Check, Tally
from recsys.source.base import FILE, ROW

EXAMPLES = 5
"""Offenders that a fault names."""
WHY = "fault"
"""Column of the rows written aside that names the faults of each."""


@dataclass(frozen=True)
class Counts:
    """Counts of one pass over a table."""

    rows: int
    bad_rows: int  # rows that break at least one check
    broken: tuple[tuple[Check, int], ...]  # checks that at least one row breaks, with the number of such rows
    notes: tuple[str, ...]  # sentences of the tallies above 0


def count(frame: pl.LazyFrame, checks: Sequence[Check], tallies: Sequence[Tally]) -> Counts:
    """Count the rows that break each check, all in one streaming pass."""
    bad = [check.bad.sum() for check in checks]
    noted = [tally.number.cast(pl.Int64) for tally in tallies]
    numbered = [number.alias(str(index)) for index, number in enumerate([pl.len(), _any_bad(checks).sum(), *bad, *noted])]
    rows, bad_rows, *numbers = frame.select(numbered).collect(engine="streaming").row(0)
    broken = [(check, number) for check, number in zip(checks, numbers) if number]
    notes = [tally.sentence.format(count=number, rows=rows) for tally, number in zip(tallies, numbers[len(checks) :]) if number]
    return Counts(rows, bad_rows, tuple(broken), tuple(notes))


def row_fault(frame: pl.LazyFrame, table: str, check: Check, number: int, rows: int) -> Fault:
    """The fault of one check that `number` of `rows` rows break, with place and value of its first offenders (a second, filtered pass)."""
    offenders = _with_place(frame, table).filter(check.bad)
    shown = pl.lit(None) if check.shown is None else check.shown
    first = offenders.select(FILE, ROW, shown.alias("value")).head(EXAMPLES).collect(engine="streaming")
    values = "" if check.shown is None else ": " + ", ".join(_text(value) for value in first["value"].to_list())
    more = ", ..." if values and number > EXAMPLES else ""
    where = f"{_places(first)}{f' (first {EXAMPLES})' if number > EXAMPLES else ''}, column '{check.column}'"
    return Fault(f"{check.what} in {number:,} of {rows:,} rows{values}{more}", where, check.remedy)


def _with_place(frame: pl.LazyFrame, table: str) -> pl.LazyFrame:
    """Add FILE and ROW where the frame lacks them: the table's name, and the row number from the top."""
    columns = frame.collect_schema().names()
    frame = frame if ROW in columns else frame.with_row_index(ROW)
    return frame if FILE in columns else frame.with_columns(pl.lit(table).alias(FILE))


def _places(rows: pl.DataFrame) -> str:
    """Places of rows that have FILE and ROW: "a.parquet, rows 3, 7; b.parquet, row 0"."""
    parts = []
    for (file,), group in rows.group_by(FILE, maintain_order=True):
        numbers = group[ROW].to_list()
        parts.append(f"{file}, row{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}")
    return "; ".join(parts)


def sound_rows(frame: pl.LazyFrame, checks: Sequence[Check]) -> pl.LazyFrame:
    """The rows that break none of the checks, still lazy."""
    return frame.filter(~_any_bad(checks))


def write_aside(frame: pl.LazyFrame, checks: Sequence[Check], path: Path) -> None:
    """Write the rows that break a check to a parquet file that appears whole or not at all, with what is wrong in column WHY."""
    reasons = [pl.when(check.bad).then(pl.lit(f"{check.column}: {check.what}")) for check in checks]
    # Before the filter: what is a first row or a usual width is a question to the whole table.
    explained = frame.with_columns(pl.concat_str(reasons, separator="; ", ignore_nulls=True).alias(WHY))
    with whole_file(path) as aside:
        explained.filter(pl.col(WHY) != "").sink_parquet(aside, mkdir=True)


def _any_bad(checks: Sequence[Check]) -> pl.Expr:
    return pl.any_horizontal(pl.lit(False), *(check.bad.fill_null(False) for check in checks))


def _text(value: object) -> str:
    text = str(value) if isinstance(value, date) else repr(value)  # a datetime's repr is code
    return text if len(text) <= 60 else text[:57] + "..."
