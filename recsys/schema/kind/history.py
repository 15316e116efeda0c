"""A user's earlier positive items, read from the events of the store. N rows, L list length."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from recsys.errors import Fault, nearest
from recsys.ranges import Column, Count
from recsys.schema.kind.base import Feature, Reading, Statistics, TimeUnit
from recsys.schema.raw import Check
from recsys.schema.vocabulary import FIRST_KNOWN, PAD, Vocabulary

LATEST = 5
"""Items of a history that are shown to a person."""
NO_COLUMN = "a history is a window of events: it has no raw column, and the statistics of the column that it lists"


@dataclass(frozen=True)
class History(Feature):
    """The user's earlier positive items, strictly before the row: index int64 [B, max_len], oldest first, 0 on the right."""

    of: Column  # the item-side Categorical column whose values are listed, usually the item id; its embedding table is shared
    max_len: Count = 50  # only the most recent `max_len` are kept

    has_table: ClassVar[bool] = True
    is_list: ClassVar[bool] = True
    is_stored: ClassVar[bool] = False

    @property
    def table(self) -> str:
        """Item column whose values are listed."""
        return self.of

    def faults(self, items: Sequence[Feature]) -> Iterator[Fault]:
        where, columns = f"data.features, column '{self.column}'", [feature.column for feature in items if feature.is_category]
        if self.of not in columns:
            what = f"history '{self.column}' lists '{self.of}', which is no item-side Categorical{nearest(self.of, columns)}"
            yield Fault(what, where, f"use one of {columns}")
        if self.entity != "user":
            yield Fault(f"history '{self.column}' has entity '{self.entity}'", where, "set entity: user")

    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        raise AssertionError(NO_COLUMN)

    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        raise AssertionError(NO_COLUMN)

    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        raise AssertionError(NO_COLUMN)

    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        raise AssertionError(NO_COLUMN)

    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        """The latest items, the last first."""
        if vocabulary is None:
            return None
        return [vocabulary.gather([value for value in row if value != PAD][::-1][:LATEST]).to_list() for row in values]

    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        """Length of the history, and whether the item of the row is in it."""
        items, own = values[self.column], values[self.of][:, None]
        inside = ((items == own) & (items != PAD)).any(1)
        return np.stack([(items != PAD).sum(1), inside], axis=1).astype(np.float32)

    def readings(self, values: np.ndarray) -> list[Reading]:
        return [Reading(np.minimum(values, self.max_len))]

    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        own = {"vocabulary": statistics.vocabulary, "max_len": self.max_len}
        return own | {"item column": self.of, "data.positive": positive}

    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        return f"{statistics.size - FIRST_KNOWN:,} of `{self.of}`, the last {self.max_len}", "unknown items count as such; may be empty"

    def request_words(self, statistics: Statistics) -> str:
        return f"History of '{self.of}' ({self.entity}, {statistics.dtype})"


def histories(features: Iterable[Feature]) -> tuple[History, ...]:
    """The histories among features, in their order."""
    return tuple(feature for feature in features if isinstance(feature, History))
