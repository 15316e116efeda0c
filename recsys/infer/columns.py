"""Facts of a raw table's columns: type, distinct and missing values, extremes."""

import re
from dataclasses import dataclass
from typing import Any

import polars as pl

SAMPLE_ROWS = 1_000_000
"""Rows from the top of a table whose values are read; missing values and extremes are counted over all rows."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        rows, nulls: of the whole table.
        sample: values of the first SAMPLE_ROWS rows, nulls dropped.
        distinct: different values in `sample`; 0 for lists and structs, where they are not counted.
        low, high: least and greatest value of all rows; None where values are no numbers or moments.
        not_finite: NaN and infinite values of all rows.
        binary: bool, or a number that is 0 or 1 in every row.
    """

    name: str
    dtype: pl.DataType
    rows: int
    nulls: int
    sample: pl.Series
    distinct: int
    low: Any
    high: Any
    not_finite: int
    binary: bool

    @property
    def type_name(self) -> str:
        """Type in plain words, such as "int64" or "list of string"."""
        inner = f" of {self.dtype.inner.base_type().__name__.lower()}" if isinstance(self.dtype, pl.List | pl.Array) else ""
        return self.dtype.base_type().__name__.lower() + inner

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows" if self.rows <= SAMPLE_ROWS else f"the first {SAMPLE_ROWS:,} rows"
        distinct = "" if self.dtype.is_nested() else f", {self.distinct:,} distinct of {rows}"
        return f"{self.type_name}{distinct}" + (f", {self.nulls:,} missing" if self.nulls else "")


def words(name: str) -> tuple[str, ...]:
    """The words of a column name, in lower case.

    Example:
        >>> words("CustomerID"), words("stock_code"), words("userid")
        (('customer', 'id'), ('stock', 'code'), ('user', 'id'))
    """
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    return tuple(word for part in parts for word in ((part[:-2], "id") if len(part) > 4 and part.endswith("id") else (part,)))


def table_columns(table: pl.LazyFrame) -> dict[str, Column]:
    """Every column of a table, by name: one pass over all rows, and the values of the first SAMPLE_ROWS.

    Raises:
        polars.exceptions.PolarsError, OSError: the files cannot be read.
    """
    schema = table.collect_schema()
    counts = {("rows", ""): pl.len()}
    for name, dtype in schema.items():
        column = pl.col(name)
        counts["nulls", name] = column.null_count()
        if dtype.is_numeric() or dtype.is_temporal():
            counts["low", name], counts["high", name] = column.min(), column.max()
        if dtype.is_numeric():
            counts["binary", name] = ((column == 0) | (column == 1)).all()
        if dtype.is_float():
            counts["not_finite", name] = (~column.is_finite()).sum()
    row = table.select(expression.alias(repr(key)) for key, expression in counts.items()).collect(engine="streaming").row(0)
    facts = dict(zip(counts, row))
    sample = table.head(SAMPLE_ROWS).collect(engine="streaming")
    return {name: _column(sample[name], facts, name) for name in schema.names()}


def _column(values: pl.Series, facts: dict[tuple[str, str], Any], name: str) -> Column:
    present = values.drop_nulls()
    return Column(
        name=name,
        dtype=values.dtype,
        rows=facts["rows", ""],
        nulls=facts["nulls", name],
        sample=present,
        distinct=0 if values.dtype.is_nested() else present.n_unique(),
        low=facts.get(("low", name)),
        high=facts.get(("high", name)),
        not_finite=facts.get(("not_finite", name), 0),
        binary=values.dtype == pl.Boolean or facts.get(("binary", name), False),
    )


def number(aggregate: Any) -> float:
    """An aggregate of a column of numbers, whose type Polars leaves open."""
    return float(aggregate)
