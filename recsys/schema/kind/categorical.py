"""One value out of many: a string, an integer or a boolean. N values, B rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from recsys.schema.kind.base import KEY, Feature, Reading, Statistics, TimeUnit
from recsys.schema.raw import is_category, raw_type
from recsys.schema.rule import Check, Dtypes, Rule, category_checks
from recsys.schema.vocabulary import FIRST_KNOWN, Vocabulary, canonical, hash_index


@dataclass(frozen=True)
class Categorical(Feature):
    """One value out of many (string, integer or boolean): index int64 [B], in the store int32.

    A missing value gets the index of unknown ones.

    Attributes:
        min_count: values seen in fewer training rows than this share the unknown index.
        buckets: hash into this many buckets instead of keeping a vocabulary (MurmurHash3, 32 bit, seed 0); 0 = vocabulary.
    """

    min_count: int = 1
    buckets: int = 0

    has_table: ClassVar[bool] = True

    def rule(self, unit: TimeUnit) -> Rule:
        return CategoricalRule(self.column, "Categorical feature", KEY)

    def fit(self, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
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

    def example(self, statistics: Statistics, rows: int) -> np.ndarray:
        return np.zeros(rows, np.int64)


@dataclass(frozen=True)
class CategoricalRule(Rule):
    """Rule of a string, integer or boolean column; null is unknown."""

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_category(dtype):
            return None
        return self.cast("int64") + " or declare it Numeric in data.features" if dtype.is_float() else self.cast("string")

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        yield from category_checks(self.column, dtypes[self.column])


def fit_categories(values: pl.Series, rows: np.ndarray | None, *, buckets: int, min_count: int) -> tuple[Statistics, Vocabulary | None]:
    """Statistics of raw categories [N] and, without buckets, their vocabulary; `rows` as in `Feature.fit`."""
    dtype = raw_type(values.dtype)
    if buckets:
        return Statistics(dtype, size=buckets + FIRST_KNOWN), None
    known = Vocabulary.fit(canonical(values), rows=None if rows is None else pl.Series(rows), min_count=min_count)
    return Statistics(dtype, size=len(known)), known


def table_index(values: pl.Series, buckets: int, vocabulary: Vocabulary | None) -> np.ndarray:
    """Row [N] int32 of the embedding table for each raw category: its bucket, or its place in the vocabulary."""
    if vocabulary is not None:
        return vocabulary.index(canonical(values))
    return hash_index(canonical(values), buckets)


def category_words(statistics: Statistics, *, buckets: int, min_count: int, lists: str = "") -> tuple[str, str]:
    """Words of a model card on a column with a vocabulary or buckets; see `Feature.card_words`."""
    if buckets:
        return f"hashed into {buckets:,} buckets{lists}", 'missing: the value "unknown"'
    rare = f", or in fewer than {min_count} training rows" if min_count > 1 else ""
    return f"{statistics.size - FIRST_KNOWN:,}{lists}", f'not in training{rare}, or missing: the value "unknown"'
