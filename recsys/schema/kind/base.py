"""Interface of the feature kinds, and facts of a fitted column. N rows, L list length, P table columns.

A kind is one file of this folder. All other code calls its traits and methods; only what builds a network, a graph or a request from a
kind has a branch of its own: `nn/encoder`, `export/preprocessing`, `serve/fields`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from recsys.errors import Fault
from recsys.ranges import Column
from recsys.schema.raw import Check, Dtypes, Rule, Tally
from recsys.schema.vocabulary import Vocabulary

Entity = Literal["user", "item", "context", "bias"]
TimeUnit = Literal["datetime", "s", "ms", "us", "ns", "YYYYMMDD", "YYYYMMDDHHMMSS", "rank"]


@dataclass(frozen=True)
class Statistics:
    """Facts of one column that only its training rows know."""

    dtype: str  # raw type, and so the type of the served input: "string", "int64", "float32" or "bool"
    size: int = 0  # embedding rows, pad and unknown included (Categorical, MultiCategorical), or vector width (Vector)
    mean: float = 0.0  # of the raw value after `log` (Numeric)
    std: float = 1.0  # of the raw value after `log` (Numeric)
    boundaries: tuple[float, ...] = ()  # inner quantile boundaries of the raw value, ascending (Numeric with quantiles)
    vocabulary_sha256: str = ""  # hash of the vocabulary file; "" where the column has none
    unit: str = ""  # of the served integers (Timestamp), as in `TimeUnit`; "" = seconds

    @property
    def vocabulary(self) -> tuple[str, int, str]:
        """Facts that decide which index a raw value gets; the hash covers the count of each value, and so the training rows."""
        return self.vocabulary_sha256, self.size, self.dtype


@dataclass(frozen=True)
class Reading:
    """One way in which a column alone may tell a label."""

    codes: np.ndarray  # [N] or [N, L] codes from 0 on, lists padded with 0 on the right
    numbers: np.ndarray | None = None  # [C] ascending number of each code, NaN last; None where codes have no order


@dataclass(frozen=True)
class Feature(ABC):
    """A column that a model reads, of a user, an item, the interaction row itself (context), or a bias.

    A bias is of the row too, but known only once it has been shown, such as its position: read in training, neutral when serving.
    """

    column: Column  # its name in files, batches, tables and the served graph
    entity: Entity

    has_table: ClassVar[bool] = False  # values are indices into an embedding table
    is_list: ClassVar[bool] = False  # a row holds any number of values, up to `max_len` of them
    is_stored: ClassVar[bool] = True  # the raw tables have this column, the store an array of it; else it is made of the user's events
    card_limit: ClassVar[str] = ""  # what a model card says against served columns of the kind; "" = nothing

    @property
    def is_category(self) -> bool:
        """Whether a row holds one index into an embedding table."""
        return self.has_table and not self.is_list

    @property
    def keeps_vocabulary(self) -> bool:
        """Whether the store has a vocabulary file of this column."""
        return self.has_table and self.is_stored and self.buckets == 0

    @property
    def buckets(self) -> int:
        """Buckets that raw values are hashed into; 0 = none are."""
        return 0

    @property
    def max_len(self) -> int:
        """Values that a row may hold."""
        return 1

    @property
    def table(self) -> str:
        """Column whose embedding table and vocabulary are read."""
        return self.column

    def faults(self, items: Sequence["Feature"]) -> Iterator[Fault]:
        """Faults of the declaration beside those of the items' features."""
        yield from ()

    def rule(self, unit: TimeUnit) -> Rule | None:
        """Rule of the raw column, where integer moments count `unit`; None where there is no such column."""
        return FeatureRule(self.column, f"{type(self).__name__} feature", "data.features", self, unit) if self.is_stored else None

    @abstractmethod
    def type_remedy(self, dtype: pl.DataType, unit: TimeUnit) -> str | None:
        """Remedy where the raw column must not have this type; None where it may."""

    @abstractmethod
    def checks(self, dtype: pl.DataType) -> Iterator[Check]:
        """Rows that break the rule of a raw column of a type that it may have."""

    def tallies(self, dtype: pl.DataType) -> Iterator[Tally]:
        """Facts of such a column that are worth a sentence and no fault."""
        yield from ()

    @abstractmethod
    def fit(self, values: pl.Series, rows: np.ndarray | None, *, time_unit: TimeUnit = "datetime") -> tuple[Statistics, Vocabulary | None]:
        """Statistics of raw values [N], each for `rows` [N] int64 training rows or for one, and the vocabulary if the kind keeps one.

        Integer moments count `time_unit`.
        """

    @abstractmethod
    def encode(self, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
        """Array [N, ...] that the store keeps of raw values [N]; without a vocabulary where the column has none."""

    @abstractmethod
    def raw_words(self, values: list[Any], vocabulary: pl.Series | None) -> list[Any] | None:
        """Values or lists of a batch as a person wrote them, None where missing or unknown; None where raw values are not kept.

        The vocabulary holds raw values by index.
        """

    @abstractmethod
    def table_columns(self, values: Mapping[str, np.ndarray], statistics: Statistics) -> np.ndarray:
        """Columns [N, P] for a model of tables: int64 where the kind `is_category`, else float32; `values` are of all features."""

    @abstractmethod
    def readings(self, values: np.ndarray) -> list[Reading]:
        """Ways in which the column alone may tell a label; empty where no single one would make sense.

        Values [N, ...] are as the store keeps them; of a kind that is not stored, they are the number of items [N].
        """

    @abstractmethod
    def content(self, statistics: Statistics, *, positive: str | None) -> dict[str, object]:
        """{word: value} of what decides which numbers a batch holds for a raw value; where one differs, batches are misread."""

    @abstractmethod
    def card_words(self, statistics: Statistics) -> tuple[str, str]:
        """Words of a model card: the values that are known, and the treatment of unknown and missing ones."""

    def request_words(self, statistics: Statistics) -> str:
        """Kind, entity and type of a request's values; columns of equal words take the same values."""
        return f"{type(self).__name__} ({self.entity}, {statistics.dtype})"

    def example(self, statistics: Statistics, rows: int) -> np.ndarray:
        """Zeros [rows, ...] in the shape and type of a batch; here of indices or moments, of lists at most three."""
        return np.zeros((rows, min(3, self.max_len)) if self.is_list else rows, np.int64)


@dataclass(frozen=True)
class FeatureRule(Rule):
    """Rule of a feature's raw column; rows are checked where the column's type allows it."""

    feature: Feature
    unit: TimeUnit

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        return self.feature.type_remedy(dtype, self.unit)

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        dtype = dtypes[self.column]
        yield from self.feature.checks(dtype) if self.type_remedy(dtype) is None else ()

    def tallies(self, dtypes: Dtypes) -> Iterator[Tally]:
        dtype = dtypes[self.column]
        yield from self.feature.tallies(dtype) if self.type_remedy(dtype) is None else ()
