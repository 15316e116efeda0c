"""A list of categories per row. N rows, L list length."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from recsys.ranges import Count, Natural
from recsys.schema.kind.base import Feature, Reading, Statistics, TimeUnit
from recsys.schema.kind.categorical import category_words, fit_categories, table_index
from recsys.schema.raw import ASIDE, Check, Tally, as_list, as_lists, broken_text, entries, is_category, list_value_type, pad, text_check
from recsys.schema.vocabulary import FIRST_KNOWN, PAD, Vocabulary

MAX_INDICATORS = 64
"""Values of a list column that get an indicator each in a table; the rest share none."""


@dataclass(frozen=True)
class MultiCategorical(Feature):
    """A list of values, pooled by their mean embedding; a missing list is an empty one.

    Index int64 [B, max_len], in the store int32, padded with 0 on the right.
    """

    max_len: Count = 10  # longer lists are cut to their first `max_len` values (counted and reported)
    min_count: Count = 1  # as in Categorical
    buckets: Natural = 0  # as in Categorical

    has_table: ClassVar[bool] = True
    is_list: ClassVar[bool] = True

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        inner = list_value_type(dtype)
        if inner is not None and is_category(inner):
            return None
        if dtype == pl.String:
            return f"set data.source.lists.{self.column}='|' (what separates its values), or declare it Categorical in data.features"
        return f"rewrite the file with pl.col('{self.column}').cast(pl.List(pl.String))"

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        values = as_list(self.column, dtype)
        has_null = values.list.drop_nulls().list.len() < values.list.len()
        remedy = f"rewrite the file with pl.col('{self.column}').list.drop_nulls(), {ASIDE}"
        yield Check(self.column, "null inside a list", has_null, remedy, values.list.head(5))
        if list_value_type(dtype) == pl.UInt64:
            remedy = f"rewrite the file with pl.col('{self.column}').cast(pl.List(pl.String))"
            yield Check(self.column, "integer beyond int64", values.list.max() > 2**63 - 1, remedy, values.list.head(5))
        if list_value_type(dtype) == pl.String:
            broken = values.list.eval(broken_text(pl.element())).list.any()
            example = values.list.head(5).list.eval(pl.element().str.head(40))
            yield text_check(self.column, broken, example)

    def tallies(self, dtype: pl.DataType) -> Iterator[Tally]:
        cut = f"{{count:,}} of {{rows:,}} lists in '{self.column}' are longer than max_len={self.max_len} and are cut to that"
        yield Tally(cut, (as_list(self.column, dtype).list.len() > self.max_len).sum())

    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        lists = as_lists(values).list.head(self.max_len)
        each = None if rows is None else np.repeat(rows, lists.list.len().fill_null(0).to_numpy())
        return fit_categories(entries(lists), each, buckets=self.buckets, min_count=self.min_count)

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        lists = as_lists(values).list.head(self.max_len)
        return pad(lists, self.max_len, table_index(entries(lists), self.buckets, vocabulary), PAD)

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        if vocabulary is None:
            return None
        return [vocabulary.gather([value for value in row if value >= FIRST_KNOWN]).to_list() for row in values]

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        index, size = values[self.column], min(statistics.size, MAX_INDICATORS)
        indicators = np.zeros((len(index), size + 1), np.float32)
        np.put_along_axis(indicators, np.minimum(index, size), 1.0, axis=1)
        return indicators[:, FIRST_KNOWN:size]

    def readings(self, values: np.ndarray) -> list[Reading]:
        return [Reading(values), Reading((values != PAD).sum(1))]

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        return {"vocabulary": statistics.vocabulary, "max_len": self.max_len}

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        lists = f", lists of up to {self.max_len}"
        return category_words(statistics, buckets=self.buckets, min_count=self.min_count, lists=lists)
