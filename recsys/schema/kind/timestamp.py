"""A moment per row. N rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

import numpy as np
import polars as pl

from recsys.schema.kind.base import Feature, FeatureRule, Reading, Statistics, TimeUnit
from recsys.schema.raw import ASIDE, Check, cast_remedy
from recsys.schema.vocabulary import Vocabulary

TICKS_PER_S: dict[TimeUnit, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units of epochs."""
DIGITS: dict[TimeUnit, str] = {"YYYYMMDD": "%Y%m%d", "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S"}
"""Dates written as one integer, as strftime writes them."""
UNITS: tuple[TimeUnit, ...] = (*TICKS_PER_S, *DIGITS)
"""Units of numbers that are moments."""
US_PER_S = 1_000_000
HOUR_S, DAY_S = 3_600, 86_400
DAY_US = DAY_S * US_PER_S
CALENDAR_S = (0, 4_102_444_800)
"""Years 1970 to 2100 in epoch seconds: a time outside was written in another unit, or is a placeholder."""
LIVES_S = (-2_208_988_800, 4_102_444_800)
"""Years 1900 to 2100 in epoch seconds: births are moments, too."""
PLAUSIBLE_S = (473_385_600, 4_102_444_800)
"""Years 1985 to 2100 in epoch seconds, in which a number is a moment of one unit at most."""


@dataclass(frozen=True)
class Timestamp(Feature):
    """A moment: int64 seconds since 1970 UTC [B], 0 where missing; the model's encoder embeds hour of day and day of week."""

    unit: TimeUnit | None = None  # of numbers, where it is another than data.time_unit

    card_limit: ClassVar[str] = "a missing moment is read as 1970-01-01 00:00 UTC, a Thursday midnight."

    def rule(self, unit: TimeUnit) -> FeatureRule:
        """Rule of the raw column, in the unit of its own numbers."""
        own = self.unit or unit
        return FeatureRule(self.column, "Timestamp feature", "data.features", replace(self, unit=own), own)

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        """A moment is a Date, a Datetime, or a number in data.time_unit or in the unit of the feature."""
        if is_date(dtype) or (dtype.is_numeric() and (self.unit or unit) in UNITS):
            return None
        if dtype.is_numeric():
            return f"set unit of feature '{self.column}' in data.features to one of {', '.join(UNITS)}"
        return cast_remedy(self.column, "datetime")

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        column = pl.col(self.column)
        yield Check(self.column, "missing time", column.is_null(), f"write a time or drop the rows, {ASIDE}")
        if not is_date(dtype):
            unit = cast(TimeUnit, self.unit)
            remedy = f"set unit of feature '{self.column}' in data.features to that of its numbers, {ASIDE}"
            yield Check(self.column, f"number that is no moment in {unit}", ~within(column, unit, LIVES_S), remedy, column)

    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        unit = self.unit or time_unit
        return Statistics("int64", unit="" if is_date(values.dtype) or unit not in UNITS[1:] else unit), None

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        return microseconds(values, self.unit or time_unit) // US_PER_S

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        return [datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M") for value in values]

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        """Hour of the day, and day of the week from Thursday on."""
        second = values[self.column]
        return np.stack([second // HOUR_S % 24, second // DAY_S % 7], axis=1).astype(np.float32)

    def readings(self, values: np.ndarray) -> list[Reading]:
        moments, codes = np.unique(values, return_inverse=True)
        return [Reading(codes, moments)]

    def request_words(self, statistics: Statistics) -> str:
        return f"Timestamp ({self.entity}, int64{f' in {statistics.unit}' if statistics.unit else ''})"

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        return {}  # a batch holds the moment itself

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        return f"{statistics.unit or 's'} {'' if statistics.unit in DIGITS else 'since 1970 '}UTC: hour and weekday", "missing: 1970"


def is_date(dtype: pl.DataType) -> bool:
    """Whether values of this type are moments by themselves."""
    return dtype in (pl.Date, pl.Datetime)


def epoch_us(column: pl.Expr, dtype: pl.DataType, unit: TimeUnit) -> pl.Expr:
    """Int64 microseconds since 1970 UTC of dates, moments (in UTC without a zone) or numbers, or the rank itself; null where none."""
    if dtype.is_temporal():
        return column.cast(pl.Datetime("us")).dt.epoch("us")
    if unit in DIGITS:
        texts = column.cast(pl.Int64, strict=False).cast(pl.String)
        return texts.str.to_datetime(DIGITS[unit], time_unit="us", strict=False).dt.epoch("us")
    ticks = TICKS_PER_S.get(unit, US_PER_S)
    if dtype.is_float():
        return (column * (US_PER_S / ticks)).round().cast(pl.Int64, strict=False)
    integers = column.cast(pl.Int64, strict=False)
    return integers * (US_PER_S // ticks) if ticks <= US_PER_S else integers // (ticks // US_PER_S)


def microseconds(values: pl.Series, unit: TimeUnit) -> np.ndarray:
    """[N] int64 of `epoch_us`; 0 where missing."""
    expression = epoch_us(pl.col(values.name), values.dtype, unit).fill_null(0)
    return values.to_frame().select(expression).to_series().to_numpy(writable=True)


def within(column: pl.Expr, unit: TimeUnit, seconds: tuple[int, int]) -> pl.Expr:
    """Whether a number in this unit lies between two epoch seconds, the second excluded."""
    if unit in DIGITS:
        low, end = (int(datetime.fromtimestamp(second, UTC).strftime(DIGITS[unit])) for second in seconds)
        return (column >= low) & (column < end) & epoch_us(column, pl.Int64(), unit).is_not_null()
    low, end = (second * TICKS_PER_S[unit] for second in seconds)
    return (column >= low) & (column < end)


def ticks_per_s(unit: str) -> int:
    """Ticks of a `Statistics.unit` of an epoch in a second."""
    return next((ticks for name, ticks in TICKS_PER_S.items() if name == unit), 1)


def raw_moments(seconds: np.ndarray, unit: str) -> np.ndarray:
    """[N] int64 seconds since 1970 UTC as a raw column holds them whose `Statistics.unit` this is."""
    for digits, written in DIGITS.items():
        if unit == digits:
            return np.array([int(datetime.fromtimestamp(second, UTC).strftime(written)) for second in seconds.tolist()], np.int64)
    return seconds * ticks_per_s(unit)
