"""Divisions of users, items and rows that a report shows one by one. n entities, N rows."""

from collections.abc import Iterable

import torch
from torch import Tensor

from recsys.batch import Slice
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault
from recsys.schema import FIRST_KNOWN, Feature, nearest

MAX_VALUES = 20
"""A column with more values makes slices too thin to read."""
ACTIVITY = ("new", "1-5", "6-20", "21+")
ACTIVITY_FROM = (1, 6, 21)
POPULARITY = ("head", "mid", "tail", "new")


def activity(store: Store) -> Slice:
    """Users by their number of training events: 0, 1-5, 6-20, 21 and more."""
    before = torch.zeros(len(store.event_split) + 1, dtype=torch.int64)
    torch.cumsum(store.event_split.cpu() == 0, 0, out=before[1:])
    start = store.event_start.cpu()
    count = before[start[1:]] - before[start[:-1]]  # [num_users + 1]
    return Slice("activity", ACTIVITY, _without_padding(torch.bucketize(count, torch.tensor(ACTIVITY_FROM), right=True)))


def popularity(store: Store) -> Slice:
    """Items by training events: the most popular ones that make a third of all events, the next third, the rest, and those with none.

    An item belongs where its first event falls, counted from the most popular on.
    """
    count = store.item_count.cpu()
    order = torch.argsort(count, descending=True, stable=True)  # equal counts by ascending entity index
    before = count[order].cumsum(0) - count[order]  # events of more popular items
    codes = torch.empty_like(count)
    codes[order] = torch.clamp(3 * before // max(int(count.sum()), 1), max=2)
    codes[count == 0] = POPULARITY.index("new")
    return Slice("popularity", POPULARITY, _without_padding(codes))


def _without_padding(codes: Tensor) -> Tensor:
    codes[0] = -1
    return codes


def column_slices(store: Store, columns: Iterable[str]) -> list[Slice]:
    """One division per categorical column of users or items, by value; values that training never saw are in no group.

    Raises:
        ConfigError: a column is no Categorical of users or items, is hashed, or has more than 20 values.
    """
    sliceable = {feature.column: feature for feature in store.schema.of("user", "item") if feature.is_category}
    slices, faults = [], []
    for column in columns:
        feature = sliceable.get(column)
        if feature is None:
            what = f"'{column}' is no Categorical of users or items{nearest(column, sliceable)}"
            faults.append(Fault(what, "slice_columns", f"use some of {sorted(sliceable)}"))
        elif not _has_few_values(store, feature):
            what = f"'{column}' has {store.schema.statistics[column].size - FIRST_KNOWN:,} values or buckets"
            faults.append(Fault(what, "slice_columns", f"name a vocabulary column of at most {MAX_VALUES} values"))
        else:
            slices.append(_by_value(store, column, (store.user_features if feature.entity == "user" else store.item_features)[column]))
    if faults:
        raise ConfigError(*faults)
    return slices


def row_slices(store: Store, rows: Tensor) -> list[Slice]:
    """One division of these rows [N] per categorical column of the row itself with at most 20 values."""
    features = [feature for feature in store.schema.of("context", "bias") if _has_few_values(store, feature)]
    return [_by_value(store, feature.column, store.context_features[feature.column][rows]) for feature in features]


def user_columns(store: Store) -> list[str]:
    """Categorical user columns of at most 20 values."""
    return [feature.column for feature in store.schema.of("user") if _has_few_values(store, feature)]


def _has_few_values(store: Store, feature: Feature) -> bool:
    few = feature.is_category and feature.keeps_vocabulary
    return few and store.schema.statistics[feature.column].size - FIRST_KNOWN <= MAX_VALUES


def _by_value(store: Store, column: str, index: Tensor) -> Slice:
    """Division by the vocabulary index of a column."""
    values = tuple(str(value) for value in store.vocabulary(column)[FIRST_KNOWN:])
    return Slice(column, values, (index.cpu().long() - FIRST_KNOWN).clamp(min=-1))
