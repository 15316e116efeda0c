"""What training rows say of one column. N values, each standing for a number of training rows."""

from functools import singledispatch

import numpy as np
import polars as pl

from recsys.data.check.column_faults import raw_type
from recsys.data.store.columns import as_lists, entries
from recsys.data.store.vocabulary import Vocabulary, canonical
from recsys.schema import FIRST_KNOWN, Categorical, Feature, MultiCategorical, Numeric, Statistics, Timestamp, Vector


@singledispatch
def fit(feature: Feature, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
    """Statistics and, for a column that keeps one, the vocabulary.

    Args:
        values: [N] raw values.
        rows: [N] int64 training rows that each value stands for; None = one each.
    """
    raise AssertionError(f"{type(feature).__name__} has no column of its own")


@fit.register
def _(feature: Categorical, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
    return _categories(feature, values, rows)


@fit.register
def _(feature: MultiCategorical, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
    kept = as_lists(values).list.head(feature.max_len)
    each = None if rows is None else np.repeat(rows, kept.list.len().fill_null(0).to_numpy())
    return _categories(feature, entries(kept), each)


@fit.register
def _(feature: Numeric, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
    dtype = raw_type(values.dtype)
    values = values.cast(pl.Float32).fill_nan(None)
    values = values if feature.fill is None else values.fill_null(feature.fill)
    raw = values.drop_nulls().to_numpy().astype(np.float64)  # float64: sums over many rows
    weight = np.ones(len(raw)) if rows is None else rows[values.is_not_null().to_numpy()].astype(np.float64)
    raw, weight = raw[weight > 0], weight[weight > 0]
    if not len(raw):
        return Statistics(dtype), None
    number = np.sign(raw) * np.log1p(np.abs(raw)) if feature.log else raw
    mean = float(np.average(number, weights=weight))
    std = float(np.sqrt(np.average((number - mean) ** 2, weights=weight)))
    return Statistics(dtype, mean=mean, std=std, boundaries=_boundaries(raw, weight, feature.quantiles)), None


@fit.register
def _(feature: Vector, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
    return Statistics("float32", size=as_lists(values).list.len().max() or 0), None


@fit.register
def _(feature: Timestamp, values: pl.Series, rows: np.ndarray | None) -> tuple[Statistics, Vocabulary | None]:
    return Statistics("int64"), None


def _categories(
    feature: Categorical | MultiCategorical, values: pl.Series, rows: np.ndarray | None
) -> tuple[Statistics, Vocabulary | None]:
    dtype = raw_type(values.dtype)
    if feature.buckets:
        return Statistics(dtype, size=feature.buckets + FIRST_KNOWN), None
    known = Vocabulary.fit(canonical(values), rows=None if rows is None else pl.Series(rows), min_count=feature.min_count)
    return Statistics(dtype, size=len(known)), known


def _boundaries(values: np.ndarray, weight: np.ndarray, buckets: int) -> tuple[float, ...]:
    """Distinct inner boundaries of `buckets` quantile buckets: values that occur."""
    if buckets < 2:
        return ()
    inner = np.quantile(values, np.arange(1, buckets) / buckets, weights=weight, method="inverted_cdf")
    return tuple(np.unique(inner).tolist())
