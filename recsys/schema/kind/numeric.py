"""A number per row. N rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from recsys.ranges import AnyNumber, Natural
from recsys.schema.kind.base import Feature, Reading, Statistics, TimeUnit
from recsys.schema.raw import ASIDE, FLOAT32_STEPS, Check, Tally, as_number, cast_remedy, is_finite, is_number, raw_type
from recsys.schema.vocabulary import Vocabulary


@dataclass(frozen=True)
class Numeric(Feature):
    """A number: raw value float32 [B], NaN where missing; the model's encoder applies fill, log, standardisation and buckets."""

    log: bool = False  # x -> sign(x) * log1p(|x|) before anything else
    standardize: bool = True  # subtract the training mean and divide by the training standard deviation (after `log`)
    quantiles: Natural = 0  # also embed the index of this many training-quantile buckets; 0 = none
    low: AnyNumber | None = None  # values below it are faults of the data
    high: AnyNumber | None = None  # values above it, too
    fill: AnyNumber | None = None  # raw value that stands for a missing one; None = a missing value is a fault of the data

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        return None if is_number(dtype) else cast_remedy(self.column, "float64")

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        """A number is finite and in the declared range; it is missing only where `fill` says what stands for it."""
        column, finite = as_number(self.column, dtype), pl.lit(True)
        if self.fill is None:
            remedy = f"set fill on feature '{self.column}' in data.features, {ASIDE}"
            yield Check(self.column, "missing number", column.is_null(), remedy)
        if dtype.is_float():
            finite = is_finite(column)
            remedy = f"rewrite the file with pl.col('{self.column}').fill_nan(None) and set fill on the feature in data.features, {ASIDE}"
            yield Check(self.column, "number that is NaN, infinite or beyond float32", ~finite, remedy, column)
        remedy = f"correct the values, or change low and high of feature '{self.column}' in data.features, {ASIDE}"
        if self.low is not None:
            yield Check(self.column, f"number below low={self.low:g}", (column < self.low) & finite, remedy, column)
        if self.high is not None:
            yield Check(self.column, f"number above high={self.high:g}", (column > self.high) & finite, remedy, column)
        numbers = column.cast(pl.Float64)
        spread = numbers.filter(numbers.is_finite()).std()
        lost = (spread > 0) & (spread < FLOAT32_STEPS * numbers.filter(numbers.is_finite()).abs().max())
        remedy = f"count '{self.column}' from a nearer zero; as moments, declare it Timestamp with its unit"
        yield Check(self.column, "number that float32 cannot tell from the others", lost & column.is_not_null(), remedy, column)

    def tallies(self, dtype: pl.DataType) -> Iterator[Tally]:
        column = as_number(self.column, dtype)
        yield Tally(f"feature '{self.column}' holds one value only and tells a model nothing", column.min() == column.max())

    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        dtype = raw_type(values.dtype)
        values = values.cast(pl.Float32).fill_nan(None)
        values = values if self.fill is None else values.fill_null(self.fill)
        raw = values.drop_nulls().to_numpy().astype(np.float64)  # float64: sums over many rows
        weight = np.ones(len(raw)) if rows is None else rows[values.is_not_null().to_numpy()].astype(np.float64)
        raw, weight = raw[weight > 0], weight[weight > 0]
        if not len(raw):
            return Statistics(dtype), None
        number = np.sign(raw) * np.log1p(np.abs(raw)) if self.log else raw
        mean = float(np.average(number, weights=weight))
        std = float(np.sqrt(np.average((number - mean) ** 2, weights=weight)))
        return Statistics(dtype, mean=mean, std=std, boundaries=_boundaries(raw, weight, self.quantiles)), None

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        return values.cast(pl.Float32).fill_null(float("nan")).to_numpy()

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        return [float(f"{value:.7g}") if value == value else None for value in values]  # as many digits as a float32 has

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        return values[self.column][:, None]

    def readings(self, values: np.ndarray) -> list[Reading]:
        numbers, codes = np.unique(values, return_inverse=True)  # NaN is one number, the last
        return [Reading(codes, numbers)]

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        return {}  # a batch holds the raw number, and each model standardises it itself

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        steps = [name for name, used in (("log", self.log), ("standardised", self.standardize)) if used]
        steps += [f"{self.quantiles} quantile buckets"] if self.quantiles else []
        fill = "the training mean" if self.fill is None else f"{self.fill:g}"
        return "any finite number" + (f" ({', '.join(steps)})" if steps else ""), f"missing: {fill}"

    def example(self, statistics: Statistics, rows: int) -> np.ndarray:
        return np.zeros(rows, np.float32)


def _boundaries(values: np.ndarray, weight: np.ndarray, buckets: int) -> tuple[float, ...]:
    """Distinct inner boundaries of `buckets` quantile buckets: values that occur."""
    if buckets < 2:
        return ()
    inner = np.quantile(values, np.arange(1, buckets) / buckets, weights=weight, method="inverted_cdf")
    return tuple(np.unique(inner).tolist())
