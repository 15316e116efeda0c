"""A moment per row. N rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import polars as pl

from recsys.schema.kind.base import Feature, Reading, Statistics, TimeUnit
from recsys.schema.raw import ASIDE, Check, cast_remedy
from recsys.schema.vocabulary import Vocabulary

TICKS_PER_S: dict[TimeUnit, int] = {"s": 1, "ms": 1_000, "us": 1_000_000}
US_PER_S = 1_000_000
HOUR_S, DAY_S = 3_600, 86_400
DAY_US = DAY_S * US_PER_S
PLAUSIBLE_S = (946_684_800, 4_102_444_800)
"""Years 2000 to 2100 in epoch seconds: a time outside was written in another unit, or is a placeholder."""


@dataclass(frozen=True)
class Timestamp(Feature):
    """A moment: int64 seconds since 1970 UTC [B], 0 where missing; the model's encoder embeds hour of day and day of week."""

    card_limit: ClassVar[str] = "a missing moment is read as 1970-01-01 00:00 UTC, a Thursday midnight."

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        """A moment is a Date, a Datetime, or an integer in data.time_unit."""
        if is_date(dtype) or (dtype.is_integer() and unit in TICKS_PER_S):
            return None
        integer = f"rewrite the file with pl.from_epoch('{self.column}', time_unit='s')"
        return integer if dtype.is_integer() else cast_remedy(self.column, "datetime")

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        yield Check(self.column, "missing time", pl.col(self.column).is_null(), f"write a time or drop the rows, {ASIDE}")

    def fit(self, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
        return Statistics("int64"), None

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        return microseconds(values, time_unit) // US_PER_S

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        return [datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M") for value in values]

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        """Hour of the day, and day of the week from Thursday on."""
        second = values[self.column]
        return np.stack([second // HOUR_S % 24, second // DAY_S % 7], axis=1).astype(np.float32)

    def readings(self, values: np.ndarray) -> list[Reading]:
        moments, codes = np.unique(values, return_inverse=True)
        return [Reading(codes, moments)]

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        return {}  # a batch holds the moment itself

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        return "seconds since 1970 UTC: hour and weekday", "missing: 1970"


def is_date(dtype: pl.DataType) -> bool:
    """Whether values of this type are moments by themselves."""
    return dtype in (pl.Date, pl.Datetime)


def microseconds(values: pl.Series, unit: TimeUnit) -> np.ndarray:
    """[N] int64 microseconds since 1970 UTC of dates, moments (in UTC without a zone) or integers, or the rank itself; 0 where missing."""
    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("us")).dt.epoch("us").fill_null(0).to_numpy(writable=True)
    return values.cast(pl.Int64).fill_null(0).to_numpy() * (US_PER_S // TICKS_PER_S.get(unit, US_PER_S))
