"""Raw columns of tables: the names of their types, their lists, and numbers that fit. N rows, L list length."""

from typing import cast

import numpy as np
import polars as pl

FLOAT32_MAX = 3.4028235e38
"""The store keeps numbers as float32; larger ones would become infinite."""


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


def is_date(dtype: pl.DataType) -> bool:
    """Whether values of this type are moments."""
    return dtype in (pl.Date, pl.Datetime)


def list_value_type(dtype: pl.DataType) -> pl.DataType | None:
    """Type of the values of a list or array column; None for a column of another type."""
    return cast(pl.DataType, dtype.inner) if isinstance(dtype, pl.List | pl.Array) else None  # or its class, which answers alike


def as_list(column: str, dtype: pl.DataType) -> pl.Expr:
    """Expression of a list or array column as lists."""
    return pl.col(column).arr.to_list() if dtype == pl.Array else pl.col(column)


def as_number(column: str, dtype: pl.DataType) -> pl.Expr:
    """Expression of a numeric column, with false and true as 0 and 1."""
    return pl.col(column).cast(pl.Int8) if dtype == pl.Boolean else pl.col(column)


def as_lists(values: pl.Series) -> pl.Series:
    """Values of a list or array column as lists."""
    return values.arr.to_list() if values.dtype == pl.Array else values


def entries(lists: pl.Series) -> pl.Series:
    """Every entry of every list, one after another; empty and missing lists have none."""
    return lists.filter(lists.list.len() > 0).explode()


def padded(lists: pl.Series, width: int, flat: np.ndarray, padding: float) -> np.ndarray:
    """Rows of equal width [N, width]: the entries of each list from the left, then padding.

    Args:
        flat: what becomes of the `entries` of the lists, one after another.
    """
    length = lists.list.len().fill_null(0).to_numpy(writable=True)
    rows = np.full((len(lists), width), padding, dtype=flat.dtype)
    rows[np.arange(width) < length[:, None]] = flat
    return rows
