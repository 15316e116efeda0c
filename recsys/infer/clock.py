"""Guess the column that orders a user's rows, and the unit or format of its moments."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import polars as pl

from recsys.errors import DataError, Fault
from recsys.infer.columns import Column, number_unit
from recsys.infer.names import BESIDE_TIME, TIME_WORDS, words
from recsys.infer.roles import is_whole, named_column
from recsys.schema import TimeUnit
from recsys.schema.kind.timestamp import CALENDAR_S, DAY_S, PLAUSIBLE_S, UNITS, epoch_us, is_date, within
from recsys.source.moments import ambiguous, moment_formats, moments

MAX_MISSING = 0.05
"""A time may be missing in this share of the rows, which are set aside."""


@dataclass(frozen=True)
class Time:
    """A column that orders a user's rows."""

    column: str  # as in Schema.time and Schema.time_unit
    unit: TimeUnit  # as in Schema.time and Schema.time_unit
    why: str  # type and reason
    read_as: str | None = None  # type in `data.source.types` that the column needs; None = its own
    written: str | None = None  # format in `data.source.formats` of text
    strange: int = 0  # rows whose number is no moment of the unit, as far as the first rows show

    def microseconds(self, dtype: pl.DataType) -> pl.Expr:
        """Moments since 1970 UTC of a column of this type; a rank as it is."""
        column = pl.col(self.column)
        if self.written is not None and dtype == pl.String:
            return moments(column, self.written).dt.epoch("us")
        return epoch_us(column, dtype, self.unit)


def time_column(
    columns: Mapping[str, Column], given: str | None, taken: Collection[str], now_s: float, unit: TimeUnit | None = None
) -> Time | None:
    """The column that orders a user's rows, or None. A calendar comes before a rank, then the most telling name.

    Args:
        given, taken: as in `key_column`; a DataError says that the given column does not exist, or orders nothing.
        now_s: seconds since 1970; moments after tomorrow are no time of interactions.
        unit: what the reader says of numbers.
    """
    if given == "null":
        return None
    if given is not None:
        time = _as_time(columns[named_column(given, columns, "--time")], now_s, unit, any_number=True)
        if time is None:
            what, remedy = f"column '{given}' is {columns[given]}", "name dates or numbers with few missing values"
            raise DataError(Fault(what, f"--time {given}", remedy))
        return time
    candidates: list[tuple[bool, int, int, Time]] = []
    for name, column in columns.items():
        name_words = words(name)
        hints = [TIME_WORDS.index(word) for word in name_words if word in TIME_WORDS]
        if name in taken or not (hints or column.dtype.is_temporal()):
            continue
        time = _as_time(column, now_s, unit, any_number=set(name_words) <= {*TIME_WORDS, *BESIDE_TIME})
        if time is not None:
            candidates.append((time.unit == "rank", min(hints, default=len(TIME_WORDS)), len(candidates), time))
    return min(candidates, key=lambda candidate: candidate[:-1])[-1] if candidates else None


def _as_time(column: Column, now_s: float, unit: TimeUnit | None, *, any_number: bool) -> Time | None:
    """Time that a column tells, or None. `any_number`: numbers without a calendar count as ranks."""
    if column.nulls > MAX_MISSING * column.rows or column.not_finite or column.binary or column.distinct < 2:
        return None
    if column.dtype == pl.String:
        return _text_time(column, now_s)
    if is_date(column.dtype):
        return _calendar_time(column, pl.Series([column.low, column.high]), now_s, column.type_name)
    if not column.dtype.is_numeric():
        return None
    return _number_time(column, now_s, unit, any_number)


def _text_time(column: Column, now_s: float) -> Time | None:
    formats = moment_formats(column.sample)
    if not formats:
        return None
    if ambiguous(column.sample, formats):
        what = f"'{column.sample[0]}' is one day as {formats[0]} and another as {formats[1]}"
        raise DataError(Fault(what, f"column '{column.name}'", f"say --format {column.name}='{formats[0]}' or another"))
    values = column.sample.to_frame("text").select(moments(pl.col("text"), formats[0])).to_series()
    time = _calendar_time(column, values, now_s, "text that reads as dates")
    return time and replace(time, read_as="datetime", written=formats[0])


def _number_time(column: Column, now_s: float, unit: TimeUnit | None, any_number: bool) -> Time | None:
    whole = column.dtype.is_integer() or is_whole(column)
    read_as = "int64" if whole and not column.dtype.is_integer() else None
    until_s = now_s + DAY_S
    calendar, strange = unit or number_unit(column, until_s), 0
    if calendar is None and any_number:
        calendar, strange = _unit_of_most(column, until_s)
    if calendar == "rank" or (calendar is None and any_number and whole):
        why = f"{column.type_name}, {column.low:,} to {column.high:,}: orders rows, in no unit a calendar after 1985"
        return Time(column.name, "rank", why, read_as)
    if calendar is None:
        return None
    since, until = _ends(column, calendar)
    return Time(column.name, calendar, f"{column.type_name}, {since} to {until} as {calendar}", read_as, strange=strange)


def _unit_of_most(column: Column, until_s: float) -> tuple[TimeUnit | None, int]:
    """The unit in which nearly all numbers are moments, and how many are none; a DataError where it is only some of them."""
    numbers = column.sample.to_frame("number")
    for unit in UNITS:
        good = within(pl.col("number"), unit, (PLAUSIBLE_S[0], int(until_s)))
        number = int(numbers.select(good.sum()).item())
        if number >= (1 - MAX_MISSING) * len(numbers):
            return unit, len(numbers) - number
        if number > len(numbers) / 2:
            what = f"{number:,} of {len(numbers):,} numbers are moments in {unit}, the others are none"
            raise DataError(Fault(what, f"column '{column.name}'", f"bring all to one unit, or say --time-unit {unit} or --time-unit rank"))
    return None, 0


def _ends(column: Column, unit: TimeUnit) -> list[str]:
    ends = pl.DataFrame({"end": [column.low, column.high]}, strict=False)
    moments_us = ends.select(epoch_us(pl.col("end"), ends.schema["end"], unit)).to_series()
    return [str(moment)[:10] for moment in moments_us.cast(pl.Datetime("us"))]


def _calendar_time(column: Column, values: pl.Series, now_s: float, what: str) -> Time | None:
    first, last = values.min(), values.max()
    low_s, high_s = pl.Series([first, last]).cast(pl.Datetime("us")).dt.epoch("s")
    if high_s > now_s + DAY_S:
        return None  # a delivery, an end of validity
    why = f"{what}, {str(first)[:10]} to {str(last)[:10]}"
    if low_s < CALENDAR_S[0]:
        return Time(column.name, "rank", f"{why}: orders rows, no calendar before 1970")
    return Time(column.name, "datetime", why)
