"""One raw column to the array that the store keeps of it. N rows, L list length.

What is missing: a category becomes the unknown index, a number NaN (the encoder puts `fill` or the mean there, in the served
graph too), a list empty, a vector zeros, a moment 1970.
"""

from functools import singledispatch

import numpy as np
import polars as pl

from recsys.data.store.vocabulary import Vocabulary, canonical, hash_index
from recsys.schema import PAD, Categorical, Feature, MultiCategorical, Numeric, Timestamp, TimeUnit, Vector

TICKS_PER_S = {"s": 1, "ms": 1_000, "us": 1_000_000}
US_PER_S = 1_000_000


@singledispatch
def encode(feature: Feature, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
    """The array of one feature.

    Args:
        values: [N] raw column.
        vocabulary: of the column; None where it has none.
        time_unit: what integer moments count.
    Returns:
        [N] int32 vocabulary index (Categorical), [N, max_len] int32, 0 on the right (MultiCategorical), [N] float32, NaN where
        missing (Numeric), [N, L] float32 (Vector), or [N] int64 seconds since 1970 UTC (Timestamp).
    """
    raise AssertionError(f"{type(feature).__name__} has no column of its own")


@encode.register
def _(feature: Categorical, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
    return _index(canonical(values), feature.buckets, vocabulary)


@encode.register
def _(feature: MultiCategorical, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
    kept = as_lists(values).list.head(feature.max_len)
    return _padded(kept, feature.max_len, _index(canonical(entries(kept)), feature.buckets, vocabulary), PAD)


@encode.register
def _(feature: Numeric, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
    return values.cast(pl.Float32).fill_null(float("nan")).to_numpy()


@encode.register
def _(feature: Vector, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
    lists = as_lists(values)
    return _padded(lists, lists.list.len().max() or 0, entries(lists).cast(pl.Float32).to_numpy(), 0.0)


@encode.register
def _(feature: Timestamp, values: pl.Series, *, vocabulary: Vocabulary | None, time_unit: TimeUnit) -> np.ndarray:
    return microseconds(values, time_unit) // US_PER_S


def microseconds(values: pl.Series, unit: TimeUnit) -> np.ndarray:
    """[N] int64 microseconds since 1970 UTC, or the number itself for a rank; 0 where missing.

    Args:
        values: [N] Date, Datetime (one without a zone is UTC) or integer.
        unit: what an integer counts.
    """
    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("us")).dt.epoch("us").fill_null(0).to_numpy(writable=True)
    return values.cast(pl.Int64).fill_null(0).to_numpy() * (US_PER_S // TICKS_PER_S.get(unit, US_PER_S))


def as_lists(values: pl.Series) -> pl.Series:
    """A list or array column as lists."""
    return values.arr.to_list() if values.dtype == pl.Array else values


def entries(lists: pl.Series) -> pl.Series:
    """Every entry of every list, one after another; empty and missing lists have none."""
    return lists.filter(lists.list.len() > 0).explode()


def _index(values: pl.Series, buckets: int, vocabulary: Vocabulary | None) -> np.ndarray:
    return hash_index(values, buckets) if buckets else vocabulary.index(values)


def _padded(lists: pl.Series, width: int, flat: np.ndarray, padding: float) -> np.ndarray:
    """[N, width]: the entries of each list, `flat` one after another, from the left."""
    length = lists.list.len().fill_null(0).to_numpy(writable=True)
    rows = np.full((len(lists), width), padding, dtype=flat.dtype)
    rows[np.arange(width) < length[:, None]] = flat
    return rows
