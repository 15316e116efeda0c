"""Raw columns: their types, lists and numbers, and the rules that their values keep. N rows, L list length.

A rule is a set of boolean Polars expressions, so that one streaming pass counts every fault of a table at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

Dtypes = Mapping[str, pl.DataType]
"""{column: raw type} of one table."""

FLOAT32_MAX = 3.4028235e38
"""The store keeps numbers as float32; larger ones would become infinite."""
FLOAT32_STEPS = 2.0**-20
"""Share of its largest value below which the spread of a column is lost in float32, which has 24 digits."""
ASIDE = "or set data.bad_rows=quarantine"
"""End of every remedy that concerns single rows."""
CASTS = {"int64": "pl.Int64", "float64": "pl.Float64", "string": "pl.String", "bool": "pl.Boolean", "datetime": "pl.Datetime"}
"""Types as `data.source.types` names them, and as Polars does."""
LONGEST_BYTES = 1_000_000
"""A longer string is a broken file, not a category."""


@dataclass(frozen=True)
class Check:
    """Rows that break a rule."""

    column: str
    what: str  # the fault in plain words, without numbers
    bad: pl.Expr  # true where a row breaks the rule; null counts as false
    remedy: str  # what to type
    example: pl.Expr | None = None  # expression of the value printed for an offending row; None = the row alone is printed
    drop: bool = False  # leave such rows out, whatever data.bad_rows says


@dataclass(frozen=True)
class Tally:
    """A fact of a column that is worth a sentence and no fault."""

    sentence: str  # may hold {count} and {rows}, which are filled in
    number: pl.Expr  # one number or boolean for the table; the sentence is written where it is above 0


@dataclass(frozen=True)
class Rule(ABC):
    """Rule that the values of one column keep."""

    column: str
    needed_by: str  # what reads the column, e.g. "user id"
    key: str  # config key that names the column, e.g. "data.user"

    @abstractmethod
    def type_remedy(self, dtype: pl.DataType) -> str | None:
        """Remedy where the column must not have this type; None where it may."""

    @abstractmethod
    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        """Rows that break the rule, as far as the types of the table's columns allow to tell."""

    def tallies(self, dtypes: Dtypes) -> Iterator[Tally]:
        """Facts of this column that are worth a sentence and no fault."""
        yield from ()


def cast_remedy(column: str, name: str) -> str:
    """Remedy that brings a column to another type, as the source's config and as Polars write it."""
    return f"set data.source.types.{column}={name}, or rewrite the file with pl.col('{column}').cast({CASTS[name]})"


def broken_text(values: pl.Expr) -> pl.Expr:
    """Whether a string cannot be a category: it holds a NUL byte or is longer than LONGEST_BYTES."""
    return values.str.contains("\0", literal=True) | (values.str.len_bytes() > LONGEST_BYTES)


def text_check(column: str, bad: pl.Expr, example: pl.Expr) -> Check:
    """Check of rows with broken strings, which are `bad`."""
    remedy = f"export the file again, remove NUL bytes with pl.col('{column}').str.replace_all('\\x00', ''), {ASIDE}"
    return Check(column, "string with a NUL byte or longer than 1 MB", bad, remedy, example)


def category_checks(column: str, dtype: pl.DataType) -> Iterator[Check]:
    """Checks of values of a categorical type: broken strings, integers beyond int64."""
    values = pl.col(column)
    if dtype == pl.String:
        yield text_check(column, broken_text(values), values.str.head(40))
    if dtype == pl.UInt64:
        remedy = f"rewrite the file with pl.col('{column}').cast(pl.String)"
        yield Check(column, "integer beyond int64", values > 2**63 - 1, remedy, values)


def raw_type(dtype: pl.DataType) -> str:
    """Type as `Statistics.dtype` names it: "string", "int64" (dates too, as epoch), "float32" or "bool"; of a list, its values' type."""
    inner = list_value_type(dtype)
    if inner is not None:
        return raw_type(inner)
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_integer() or dtype.is_temporal():
        return "int64"
    return "float32" if dtype.is_numeric() else "string"


def is_category(dtype: pl.DataType) -> bool:
    """Whether values of this type can be looked up in a vocabulary or hashed."""
    return dtype.is_integer() or dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null)


def is_number(dtype: pl.DataType) -> bool:
    """Whether values of this type can be read as float32."""
    return dtype.is_numeric() or dtype == pl.Boolean


def list_value_type(dtype: pl.DataType) -> pl.DataType | None:
    """Type of the values of a list or array column; None for a column of another type."""
    return cast(pl.DataType, dtype.inner) if isinstance(dtype, pl.List | pl.Array) else None  # or its class, which answers alike


def as_list(column: str, dtype: pl.DataType) -> pl.Expr:
    """Expression of a list or array column as lists."""
    return pl.col(column).arr.to_list() if dtype == pl.Array else pl.col(column)


def is_finite(column: pl.Expr) -> pl.Expr:
    """Whether a float is a number that float32 can hold: not NaN, and infinite neither as it is nor as float32."""
    return column.is_finite() & (column.abs() <= FLOAT32_MAX)


def as_number(column: str, dtype: pl.DataType) -> pl.Expr:
    """Expression of a numeric column, with false and true as 0 and 1."""
    return pl.col(column).cast(pl.Int8) if dtype == pl.Boolean else pl.col(column)


def as_lists(values: pl.Series) -> pl.Series:
    """Values of a list or array column as lists."""
    return values.arr.to_list() if values.dtype == pl.Array else values


def entries(lists: pl.Series) -> pl.Series:
    """Every entry of every list, one after another; empty and missing lists have none."""
    return lists.filter(lists.list.len() > 0).explode()


def pad(lists: pl.Series, width: int, flat: np.ndarray, padding: float) -> np.ndarray:
    """Rows of equal width [N, width]: what `flat` makes of the `entries` of each list, from the left, then padding."""
    length = lists.list.len().fill_null(0).to_numpy(writable=True)
    rows = np.full((len(lists), width), padding, dtype=flat.dtype)
    rows[np.arange(width) < length[:, None]] = flat
    return rows
