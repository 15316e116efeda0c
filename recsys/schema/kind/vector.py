"""A dense vector of numbers per row, computed before. N rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from recsys.schema.kind.base import Feature, Reading, Statistics, TimeUnit
from recsys.schema.raw import ASIDE, Check, as_list, as_lists, entries, is_number, list_value_type, pad
from recsys.schema.vocabulary import Vocabulary


@dataclass(frozen=True)
class Vector(Feature):
    """A precomputed dense embedding (list or array column of floats): float32 [B, size], zeros where missing."""

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        inner = list_value_type(dtype)
        if inner is not None and is_number(inner):
            return None
        return f"rewrite the file with pl.col('{self.column}').cast(pl.List(pl.Float32))"

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        values = as_list(self.column, dtype)
        width = values.list.len()
        remedy = f"compute these vectors again, {ASIDE}"
        yield Check(self.column, "missing vector", values.is_null(), remedy)
        yield Check(self.column, "vector of another width than most", width != width.drop_nulls().mode().max(), remedy, width)
        # One bad entry makes the sum NaN or infinite; a null does not count in it.
        broken = ~values.list.sum().cast(pl.Float64).is_finite() | (values.list.drop_nulls().list.len() < width)
        yield Check(self.column, "null, NaN or infinity in a vector", broken, remedy, values.list.head(5))

    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        return Statistics("float32", size=_width(as_lists(values))), None

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        lists = as_lists(values)
        return pad(lists, _width(lists), entries(lists).cast(pl.Float32).to_numpy(), 0.0)

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        return None

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        return values[self.column]

    def readings(self, values: np.ndarray) -> list[Reading]:
        return []

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        return {"width": statistics.size}

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        return f"{statistics.size:,} numbers", "missing: zeros"

    def request_words(self, statistics: Statistics) -> str:
        return f"Vector of {statistics.size} ({self.entity}, {statistics.dtype})"

    def example(self, statistics: Statistics, rows: int) -> np.ndarray:
        return np.zeros((rows, statistics.size), np.float32)


def _width(lists: pl.Series) -> int:
    """Length of the longest list."""
    return int(lists.list.len().drop_nulls().to_numpy().max(initial=0))
