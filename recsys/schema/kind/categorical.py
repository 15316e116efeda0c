"""One value out of many: a string, an integer or a boolean. N values, B rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from recsys.ranges import Count, Natural
from recsys.schema.kind.base import Feature, Reading, Statistics, TimeUnit
from recsys.schema.raw import Check, cast_remedy, category_checks, is_category, raw_type
from recsys.schema.vocabulary import FIRST_KNOWN, Vocabulary, canonical, hash_index


@dataclass(frozen=True)
class Categorical(Feature):
    """One value out of many (string, integer or boolean): index int64 [B], in the store int32; a missing value counts as unknown."""

    min_count: Count = 1  # values seen in fewer training rows than this share the unknown index
    buckets: Natural = 0  # hash into this many buckets instead of keeping a vocabulary (MurmurHash3, 32 bit, seed 0); 0 = vocabulary

    has_table: ClassVar[bool] = True

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        if is_category(dtype):
            return None
        if dtype.is_float():
            return cast_remedy(self.column, "int64") + " or declare it Numeric in data.features"
        return cast_remedy(self.column, "string")

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        return category_checks(self.column, dtype)

    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        return fit_categories(values, rows, buckets=self.buckets, min_count=self.min_count)

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        return table_index(values, self.buckets, vocabulary)

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        return None if vocabulary is None else vocabulary.gather(values).to_list()

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        return values[self.column][:, None]

    def readings(self, values: np.ndarray) -> list[Reading]:
        return [Reading(values)]

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        return {"vocabulary": statistics.vocabulary}

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        return category_words(statistics, buckets=self.buckets, min_count=self.min_count)


def fit_categories(values: pl.Series, rows: np.ndarray | None, *, buckets: int, min_count: int) -> tuple[Statistics, Vocabulary | None]:
    """Statistics of raw categories [N] and, without buckets, their vocabulary; `rows` as in `Feature.fit`."""
    dtype = raw_type(values.dtype)
    if buckets:
        return Statistics(dtype, size=buckets + FIRST_KNOWN), None
    known = Vocabulary.fit(canonical(values), rows=None if rows is None else pl.Series(rows), min_count=min_count)
    return Statistics(dtype, size=len(known)), known


def table_index(values: pl.Series, buckets: int, vocabulary: Vocabulary | None) -> np.ndarray:
    """Row [N] int32 of the embedding table for each raw category: its bucket, or its place in the vocabulary."""
    categories = canonical(values)
    return hash_index(categories, buckets) if vocabulary is None else vocabulary.index(categories)


def category_words(statistics: Statistics, *, buckets: int, min_count: int, lists: str = "") -> tuple[str, str]:
    """Words of a model card on a column with a vocabulary or buckets; see `Feature.card_words`."""
    if buckets:
        return f"hashed into {buckets:,} buckets{lists}", 'missing: the value "unknown"'
    rare = f", or in fewer than {min_count} training rows" if min_count > 1 else ""
    return f"{statistics.size - FIRST_KNOWN:,}{lists}", f'not in training{rare}, or missing: the value "unknown"'
