"""Check one table: its files, then its columns, then all its rows in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from recsys.data.check.column_faults import differing_columns, missing_faults, type_faults
from recsys.data.check.file_faults import inspect, unreadable_fault
from recsys.data.check.row_faults import Counts, count, row_fault, sound_rows
from recsys.errors import Fault, listed
from recsys.schema.rule import Check, Dtypes, Rule, Tally
from recsys.source.base import concat_rows

READ_ERRORS = (pl.exceptions.PolarsError, OSError)
NOTHING = Counts(0, 0, (), ())


@dataclass(frozen=True)
class Place:
    """Rows of a table and the files that hold them.

    Attributes:
        name: as faults print it.
        files: behind the frame; often one.
    """

    name: str
    files: tuple[Path, ...]
    frame: pl.LazyFrame


@dataclass(frozen=True)
class CheckedTable:
    """A table after its check.

    Attributes:
        frame: all rows that could be read; without columns where there are none.
        dtypes: types of its columns.
        counts: its rows and the faulty ones among them.
        faults: of files and columns.
        unsummed: parquet files without page checksums, in which a flipped bit goes unnoticed.
    """

    name: str
    frame: pl.LazyFrame
    dtypes: Dtypes
    counts: Counts
    faults: tuple[Fault, ...]
    unsummed: tuple[str, ...]

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
    name: str, frame: pl.LazyFrame, rules: Sequence[Rule], *, files: Sequence[Path], parts: Sequence[pl.LazyFrame]
) -> CheckedTable:
    """Check the columns that the rules name, in every file and row that can be read.

    Args:
        name: "interactions", "users" or "items".
        frame: all rows.
        files, parts: as in Tables; either may be empty.
    """
    columns = sorted({rule.column for rule in rules}) if parts else None  # without parts, the file's columns may have other names
    reports = {str(path): inspect(path, columns) for path in files}
    unsummed = tuple(path for path, report in reports.items() if report.has_checksums is False)
    faults = [fault for report in reports.values() for fault in report.faults]
    places = [Place(str(path), (path,), part) for path, part in zip(files, parts) if not reports[str(path)].faults]
    if not parts and not faults:
        places = [Place(listed(list(reports)) or name, tuple(files), frame)]
    types, schema_faults = _types(places)
    faults += [*schema_faults, *missing_faults(rules, name, types), *type_faults(rules, name, types)]
    if faults or not _resolves(frame):
        # What can be read is still checked, so that all faults come together; columns nobody reads may differ between files.
        differing = differing_columns(types)
        places = [replace(place, frame=place.frame.drop(differing, strict=False)) for place in places if place.name in types]
        frame = concat_rows([place.frame for place in places]) if places else pl.LazyFrame()
    dtypes: Dtypes = dict(frame.collect_schema())
    usable = [rule for rule in rules if all(rule.column in known for known in (dtypes, *types.values()))]
    checks = [check for rule in usable for check in rule.checks(dtypes)]
    tallies = [tally for rule in usable for tally in rule.tallies(dtypes)]
    frame, counts, read_faults = _count_rows(frame, places, checks, tallies)
    faults += read_faults
    if counts.rows == 0 and not faults:
        faults.append(Fault(f"no rows in {name}", listed(list(reports)) or name, f"change data.source.{name} to files that hold rows"))
    return CheckedTable(name, frame, dict(frame.collect_schema()), counts, tuple(faults), unsummed)


def _types(places: Sequence[Place]) -> tuple[dict[str, Dtypes], list[Fault]]:
    types: dict[str, Dtypes] = {}
    faults = []
    for place in places:
        try:
            types[place.name] = dict(place.frame.collect_schema())
        except READ_ERRORS as error:
            faults.append(unreadable_fault(place.files, error))
    return types, faults


def _resolves(frame: pl.LazyFrame) -> bool:
    try:
        frame.collect_schema()
    except READ_ERRORS:
        return False
    return True


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
