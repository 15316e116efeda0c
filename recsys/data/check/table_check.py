"""Check one table: its files, then its columns, then all its rows in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from recsys.data.check.file_faults import inspect, unreadable_fault
from recsys.data.check.read_types import rule_checks
from recsys.disk import whole_file
from recsys.errors import Fault, name_list
from recsys.schema import nearest
from recsys.schema.raw import Check, Dtypes, Rule, Tally
from recsys.source.base import FILE, RAW, ROW, concat_rows

READ_ERRORS = (pl.exceptions.PolarsError, OSError)
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


NOTHING = Counts(0, 0, (), ())


@dataclass(frozen=True)
class Place:
    """Rows of a table and the files that hold them, often one; `name` is how faults print them."""

    name: str
    files: tuple[Path, ...]
    frame: pl.LazyFrame


@dataclass(frozen=True)
class CheckedTable:
    """A table after its check."""

    name: str
    frame: pl.LazyFrame  # all rows that could be read; without columns where there are none
    dtypes: Dtypes  # types of its columns
    counts: Counts  # its rows and the faulty ones among them
    faults: tuple[Fault, ...]  # of files and columns
    unsummed: tuple[str, ...]  # parquet files without page checksums, in which a flipped bit goes unnoticed

    def row_faults(self) -> list[Fault]:
        """One fault per check that some row breaks, with its first offenders; rows dropped by policy are none, while others remain."""
        nothing_left = self.counts.bad_rows == self.counts.rows
        broken = [(check, number) for check, number in self.counts.broken if nothing_left or not check.drop]
        return [row_fault(self.frame, self.name, check, number, self.counts.rows) for check, number in broken]

    def sound(self) -> pl.LazyFrame:
        """The rows that break no check."""
        return sound_rows(self.frame, [check for check, _ in self.counts.broken]) if self.counts.broken else self.frame

    def with_checks(self, checks: Sequence[Check]) -> "CheckedTable":
        """This table with further checks, which other tables are needed for, counted in a second pass where there are any."""
        if not checks:
            return self
        counts = count(self.frame, [*(check for check, _ in self.counts.broken), *checks], ())
        return replace(self, counts=replace(counts, notes=self.counts.notes))


def check_table(
    name: str, frame: pl.LazyFrame, rules: Sequence[Rule], *, files: Sequence[Path], parts: Sequence[pl.LazyFrame], encoding: str = "utf-8"
) -> CheckedTable:
    """Check the columns that the rules name, in every file and row that can be read; `files` or `parts`, as in Tables, may be empty."""
    columns = sorted({rule.column for rule in rules}) if parts else None  # without parts, the file's columns may have other names
    reports = {str(path): inspect(path, columns, encoding) for path in files}
    unsummed = tuple(path for path, report in reports.items() if report.has_checksums is False)
    faults = [fault for report in reports.values() for fault in report.faults]
    places = [Place(str(path), (path,), part) for path, part in zip(files, parts) if not reports[str(path)].faults]
    if not parts and not faults:
        places = [Place(name_list(list(reports)) or name, tuple(files), frame)]
    types, unreadable = _types(places)
    faults += [*unreadable, *missing_faults(rules, name, types), *type_faults(rules, name, types)]
    if faults or _types([Place(name, tuple(files), frame)])[1]:
        # What can be read is still checked, so that all faults come together; columns nobody reads may differ between files.
        differing = differing_columns(types)
        places = [replace(place, frame=place.frame.drop(differing, strict=False)) for place in places if place.name in types]
        frame = concat_rows([place.frame for place in places]) if places else pl.LazyFrame()
    dtypes: Dtypes = dict(frame.collect_schema())
    usable = [rule for rule in rules if all(rule.column in known for known in (dtypes, *types.values()))]
    checks = [check for rule in usable for check in rule_checks(rule, dtypes)]
    tallies = [tally for rule in usable for tally in rule.tallies(dtypes)]
    frame, counts, read_faults = _count_rows(frame, places, checks, tallies)
    faults += read_faults
    if counts.rows == 0 and not faults:
        faults.append(Fault(f"no rows in {name}", name_list(list(reports)) or name, f"change data.source.{name} to files that hold rows"))
    return CheckedTable(name, frame, dict(frame.collect_schema()), counts, tuple(faults), unsummed)


def _types(places: Sequence[Place]) -> tuple[dict[str, Dtypes], list[Fault]]:
    """{name of a place: types of its columns}, and one fault for each place that cannot be read."""
    types: dict[str, Dtypes] = {}
    faults = []
    for place in places:
        try:
            types[place.name] = dict(place.frame.collect_schema())
        except READ_ERRORS as error:
            faults.append(unreadable_fault(place.files, error))
    return types, faults


def _count_rows(
    frame: pl.LazyFrame, places: Sequence[Place], checks: Sequence[Check], tallies: Sequence[Tally]
) -> tuple[pl.LazyFrame, Counts, list[Fault]]:
    """Count faulty rows; where rows cannot be read, name the files and count the rows of the others."""
    try:
        return frame, count(frame, checks, tallies), []
    except READ_ERRORS as error:
        faults, sound = [], []
        for place in places:
            try:
                count(place.frame, checks, tallies)
                sound.append(place.frame)
            except READ_ERRORS as part_error:
                faults.append(unreadable_fault(place.files, part_error))
        if not faults:
            return pl.LazyFrame(), NOTHING, [unreadable_fault([path for place in places for path in place.files], error)]
        return (concat_rows(sound), count(concat_rows(sound), checks, tallies), faults) if sound else (pl.LazyFrame(), NOTHING, faults)


def missing_faults(rules: Sequence[Rule], table: str, files: Mapping[str, Dtypes]) -> Iterator[Fault]:
    """One fault per column that a rule needs and some file lacks; `files` is {table: types of its columns} where they are not known."""
    for rule in rules:
        lacking = [file for file, dtypes in files.items() if rule.column not in dtypes]
        if lacking:
            there = {column for file in lacking for column in files[file] if not column.startswith(RAW)}
            columns = sorted(there - {FILE, ROW})
            where = f"{_where(lacking, table)}; needed as {rule.needed_by} ({rule.key})"
            remedy = f"change {rule.key} to a column of the file, or rename one to '{rule.column}'; there are {name_list(columns, 20)}"
            yield Fault(f"no column '{rule.column}'{nearest(rule.column, columns)}", where, remedy)


def type_faults(rules: Sequence[Rule], table: str, files: Mapping[str, Dtypes]) -> Iterator[Fault]:
    """One fault per column whose type differs between files, or is not what its rule takes."""
    for rule in rules:
        holders = _holders(rule.column, files)
        if len(holders) > 1:
            yield _type_difference(rule, holders)
            continue
        for dtype, names in holders.items():
            remedy = rule.type_remedy(dtype)
            if remedy is not None:
                yield Fault(f"{rule.needed_by} '{rule.column}' is {dtype}", f"{_where(names, table)}, column '{rule.column}'", remedy)


def differing_columns(files: Mapping[str, Dtypes]) -> set[str]:
    """Columns that have more than one type across files."""
    return {column for column in {column for dtypes in files.values() for column in dtypes} if len(_holders(column, files)) > 1}


def _holders(column: str, files: Mapping[str, Dtypes]) -> dict[pl.DataType, list[str]]:
    """{type of a column: files where it has that type}."""
    holders: dict[pl.DataType, list[str]] = {}
    for file, dtypes in files.items():
        if column in dtypes:
            holders.setdefault(dtypes[column], []).append(file)
    return holders


def _where(names: Sequence[str], table: str) -> str:
    return table if list(names) == [table] else f"{name_list(names)}, table {table}"


def _type_difference(rule: Rule, holders: Mapping[pl.DataType, Sequence[str]]) -> Fault:
    types = "; ".join(f"{dtype} in {name_list(files)}" for dtype, files in holders.items())
    if {dtype.time_zone is None for dtype in holders if isinstance(dtype, pl.Datetime)} == {True, False}:
        remedy = f"rewrite the files without a zone with pl.col('{rule.column}').dt.replace_time_zone('UTC') (their zone)"
        return Fault(f"time '{rule.column}' has a time zone in some files and none in others: {types}", f"column '{rule.column}'", remedy)
    cast = f"pl.col('{rule.column}').cast(pl.{next(iter(holders))!r})"
    remedy = f"bring all to one type: set data.source.types.{rule.column}, or rewrite files with {cast}"
    return Fault(f"{rule.needed_by} '{rule.column}' has {len(holders)} types: {types}", f"column '{rule.column}'", remedy)


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
    example = pl.lit(None) if check.example is None else check.example
    first = offenders.select(FILE, ROW, example.alias("value")).head(EXAMPLES).collect(engine="streaming")
    values = "" if check.example is None else ": " + ", ".join(_text(value) for value in first["value"].to_list())
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
