"""Rules of raw columns: the types that a column may have, and the rows that break its rule as boolean Polars expressions.

Expressions, so that one streaming pass counts every fault of a table at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

Dtypes = Mapping[str, pl.DataType]
"""{column: raw type} of one table."""

ASIDE = "or set data.bad_rows=quarantine"
"""End of every remedy that concerns single rows."""
CASTS = {"int64": "pl.Int64", "float64": "pl.Float64", "string": "pl.String", "bool": "pl.Boolean", "datetime": "pl.Datetime"}
"""Types as `data.source.types` names them, and as Polars does."""
LONGEST_BYTES = 1_000_000
"""A longer string is a broken file, not a category."""
TEXT_FAULT = "string with a NUL byte or longer than 1 MB"


@dataclass(frozen=True)
class Check:
    """Rows that break a rule.

    Attributes:
        column: the column at fault.
        what: the fault in plain words, without numbers.
        bad: true where a row breaks the rule; null counts as false.
        remedy: what to type.
        shown: expression of the value printed for an offending row; None = the row alone is printed.
        drop: leave such rows out, whatever data.bad_rows says.
    """

    column: str
    what: str
    bad: pl.Expr
    remedy: str
    shown: pl.Expr | None = None
    drop: bool = False


@dataclass(frozen=True)
class Tally:
    """A fact of a column that is worth a sentence and no fault.

    Attributes:
        sentence: may hold {count} and {rows}, which are filled in.
        number: one number or boolean for the table; the sentence is written where it is above 0.
    """

    sentence: str
    number: pl.Expr


@dataclass(frozen=True)
class Rule(ABC):
    """What the values of one column must be.

    Attributes:
        column: column name in the raw table.
        needed_by: what reads it, e.g. "user id".
        key: config key that names the column, e.g. "data.user".
    """

    column: str
    needed_by: str
    key: str

    @abstractmethod
    def type_remedy(self, dtype: pl.DataType) -> str | None:
        """Remedy where the column must not have this type; None where it may."""

    @abstractmethod
    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        """Rows that break the rule, as far as the types of the table's columns allow to tell."""

    def tallies(self, dtypes: Dtypes) -> Iterator[Tally]:
        """Facts of this column that are worth a sentence and no fault."""
        yield from ()

    def cast(self, name: str) -> str:
        """Remedy that brings the column to another type, as the source's config and as Polars write it."""
        return f"set data.source.types.{self.column}={name}, or rewrite the file with pl.col('{self.column}').cast({CASTS[name]})"


def broken_text(values: pl.Expr) -> pl.Expr:
    """Whether a string cannot be a category: it holds a NUL byte or is longer than LONGEST_BYTES."""
    return values.str.contains("\0", literal=True) | (values.str.len_bytes() > LONGEST_BYTES)


def category_checks(column: str, dtype: pl.DataType) -> Iterator[Check]:
    """Checks of values of a categorical type: broken strings, integers beyond int64."""
    values = pl.col(column)
    if dtype == pl.String:
        yield Check(column, TEXT_FAULT, broken_text(values), text_remedy(column), values.str.head(40))
    if dtype == pl.UInt64:
        remedy = f"rewrite the file with pl.col('{column}').cast(pl.String)"
        yield Check(column, "integer beyond int64", values > 2**63 - 1, remedy, values)


def text_remedy(column: str) -> str:
    """Remedy against broken strings."""
    return f"export the file again, remove NUL bytes with pl.col('{column}').str.replace_all('\\x00', ''), {ASIDE}"
