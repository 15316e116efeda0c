"""What the columns of a raw table hold, as far as guessing their kinds needs it."""

import re
from dataclasses import dataclass

import polars as pl

LOOKED_AT = 1_000_000
"""Rows from the top of a table whose values are looked at; missing values and extremes are those of all rows."""


@dataclass(frozen=True)
class Column:
    """One column's values.

    Attributes:
        rows, nulls: of the whole table.
        sample: values of the first LOOKED_AT rows, nulls dropped.
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
    low: object
    high: object
    not_finite: int
    binary: bool

    @property
    def type_name(self) -> str:
        """Type in plain words, such as "int64" or "list of string"."""
        inner = f" of {self.dtype.inner.base_type().__name__.lower()}" if self.dtype in (pl.List, pl.Array) else ""
        return self.dtype.base_type().__name__.lower() + inner

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows" if self.rows <= LOOKED_AT else f"the first {LOOKED_AT:,} rows"
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


def look(table: pl.LazyFrame) -> dict[str, Column]:
    """Every column of a table, by name: one pass over all rows, and the values of the first LOOKED_AT.

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
    found = dict(zip(counts, row))
    sample = table.head(LOOKED_AT).collect(engine="streaming")
    return {name: _column(sample[name], found, name) for name in schema.names()}


def _column(values: pl.Series, found: dict[tuple[str, str], object], name: str) -> Column:
    present = values.drop_nulls()
    return Column(
        name=name,
        dtype=values.dtype,
        rows=found["rows", ""],
        nulls=found["nulls", name],
        sample=present,
        distinct=0 if values.dtype.is_nested() else present.n_unique(),
        low=found.get(("low", name)),
        high=found.get(("high", name)),
        not_finite=found.get(("not_finite", name), 0),
        binary=values.dtype == pl.Boolean or found.get(("binary", name), False),
    )
