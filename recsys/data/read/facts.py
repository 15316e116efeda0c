"""Facts of prepared data for reports, and its divisions of users, items and rows. n entities, N rows."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recsys.batch import Slice
from recsys.data.split import NAMES
from recsys.data.store import MANIFEST, Store, read_manifest, remove_remedy
from recsys.disk.records import reading
from recsys.errors import ConfigError, Fault
from recsys.schema import FIRST_KNOWN, UNKNOWN, Feature, nearest

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
    codes = torch.bucketize(count, torch.tensor(ACTIVITY_FROM), right=True)
    codes[0] = -1  # padding
    return Slice("activity", ACTIVITY, codes)


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
    codes[0] = -1  # padding
    return Slice("popularity", POPULARITY, codes)


def user_slices(store: Store) -> list[Slice]:
    """Users by activity in training, and by each categorical column of at most 20 values."""
    columns = [feature.column for feature in store.schema.of("user") if _has_few_values(store, feature)]
    return [activity(store), *(_by_value(store, column, store.user_features[column]) for column in columns)]


def item_slices(store: Store, columns: Iterable[str]) -> list[Slice]:
    """Items by popularity in training, and by these categorical columns; values that training never saw are in no group.

    A ConfigError names columns that are no Categorical of items, are hashed, or have more than 20 values.
    """
    sliceable = {feature.column: feature for feature in store.schema.of("item") if feature.is_category}
    slices, faults = [popularity(store)], []
    for column in columns:
        feature = sliceable.get(column)
        if feature is None:
            what = f"'{column}' is no Categorical of items{nearest(column, sliceable)}"
            faults.append(Fault(what, "loader.slice_columns", f"use some of {sorted(sliceable)}; users are always divided by theirs"))
        elif not _has_few_values(store, feature):
            what = f"'{column}' has {store.schema.statistics[column].size - FIRST_KNOWN:,} values or buckets"
            faults.append(Fault(what, "loader.slice_columns", f"name a vocabulary column of at most {MAX_VALUES} values"))
        else:
            slices.append(_by_value(store, column, store.item_features[column]))
    if faults:
        raise ConfigError(*faults)
    return slices


def row_slices(store: Store, rows: Tensor) -> list[Slice]:
    """One division of these rows [N] per categorical column of the row itself with at most 20 values."""
    features = [feature for feature in store.schema.of("context", "bias") if _has_few_values(store, feature)]
    return [_by_value(store, feature.column, store.context_features[feature.column][rows]) for feature in features]


def columns_without_unknown(store: Store) -> frozenset[str]:
    """Columns with a table whose unknown value no user with training events, and no item of the catalogue, has."""
    start = store.event_start.cpu()
    owner = torch.repeat_interleave(torch.arange(len(start) - 1), start[1:] - start[:-1])  # [E] user of each event
    trained = torch.zeros(len(start) - 1, dtype=torch.bool)
    trained[owner[store.event_split.cpu() == 0]] = True
    values = {column: index.cpu()[trained] for column, index in store.user_features.items()}
    values |= {column: index.cpu()[1:] for column, index in store.item_features.items()}
    tables = {feature.column for feature in store.schema.of("user", "item") if feature.has_table and feature.is_stored}
    return frozenset(column for column in tables if not (values[column] == UNKNOWN).any())


def _has_few_values(store: Store, feature: Feature) -> bool:
    few = feature.is_category and feature.keeps_vocabulary
    return few and store.schema.statistics[feature.column].size - FIRST_KNOWN <= MAX_VALUES


def _by_value(store: Store, column: str, index: Tensor) -> Slice:
    """Division by the vocabulary index of a column."""
    values = tuple(str(value) for value in store.vocabulary(column)[FIRST_KNOWN:])
    return Slice(column, values, (index.cpu().long() - FIRST_KNOWN).clamp(min=-1))


def data_facts(store: Store, name: str) -> dict:
    """Facts of a prepared data set, whose config has this name, without its rows and the folders of this machine."""
    with reading(store.path / MANIFEST, remove_remedy(store.path)):
        return _facts(store, name, read_manifest(store.path))


def _facts(store: Store, name: str, manifest: dict) -> dict:
    schema = store.schema
    calendar = schema.time is not None and schema.time_unit != "rank" and len(store.time) > 0
    return {
        "name": name,
        "store": manifest["key"],
        "inputs": [
            {"table": entry["table"], "file": Path(entry["path"]).name, **{key: entry[key] for key in ("size", "sha256", "whole")}}
            for entry in manifest["inputs"]
        ],
        "counts": {name: manifest["counts"][name] for name in ("rows", "users", "items")},
        "split": _split_facts(store, manifest["counts"]),
        "dates": [_date(int(store.time.min())), _date(int(store.time.max()))] if calendar else None,
        "boundaries": None if store.boundaries is None else {name: _date(moment) for name, moment in store.boundaries.items()},
        "notes": [_sentence_without_folders(note, manifest["inputs"]) for note in store.notes],
    }


def _sentence_without_folders(note: str, entries: Sequence[dict]) -> str:
    """A sentence that names input files by their names alone."""
    for name in {Path(entry["path"]).name for entry in entries} - {""}:
        note = re.sub(rf"\S*/{re.escape(name)}", lambda match: Path(match[0]).name, note)
    return note


def _split_facts(store: Store, counts: dict[str, int]) -> dict[str, dict[str, int]]:
    """{part: rows, positives, and distinct users and items, with how many rows have one that training never saw}."""
    code = store.split.cpu().numpy()
    parts = {name: {"rows": counts[f"{name} rows"], "positives": counts[f"{name} positives"]} for name in NAMES}
    for noun, index, column, number in (
        ("users", store.user, store.schema.user, store.num_users),
        ("items", store.item, store.schema.item, store.num_items),
    ):
        if column is None:
            continue
        seen = np.zeros((len(NAMES), number + 1), dtype=bool)
        seen[code, index.cpu().numpy()] = True
        for name, inside in zip(NAMES, seen):
            parts[name][noun] = int(inside.sum())
        for place, name in list(enumerate(NAMES))[1:]:
            parts[name][f"rows_of_new_{noun}"] = int((~seen[0][index.cpu().numpy()[code == place]]).sum())
    return parts


def _date(microseconds: int) -> str:
    """A moment to the second, as ISO 8601 in UTC."""
    return str(np.datetime_as_string(np.datetime64(microseconds, "us"), unit="s", timezone="UTC"))
