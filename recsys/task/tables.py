"""Tables that a run leaves: what each test user got, what was predicted of each test row, where items lie. U users, N rows, D dim."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.disk import write_whole
from recsys.metric.per_user import declarations
from recsys.schema import FIRST_KNOWN, Categorical
from recsys.source.base import Source
from recsys.task.item_names import item_titles

PER_USER, PREDICTIONS, ITEM_VECTORS = "per_user.parquet", "predictions.parquet", "item_vectors.parquet"
"""Files of the run directory."""
MOST_ITEMS = 2_000
"""Items whose vectors are kept."""
MOST_VALUES = 200
"""Of a column that says of what kind an item is."""


def per_user(store: Store, values: Mapping[str, Tensor]) -> pl.DataFrame:
    """The raw id of every test user, and float64 columns named as in metrics.json.

    Args:
        values: {key: [U] float64} with the users' entity indices under "test/user".
    """
    rivals = tuple(f"{metric.name}@" for metric in declarations() if metric.rivals)
    kept = {
        key: column.numpy()
        for key, column in values.items()
        if key.startswith("test/") or ("/test/" in key and key.rpartition("/")[2].startswith(rivals))
    }
    ids = store.user_ids.gather(kept.pop("test/user")).alias(store.schema.user)
    return pl.DataFrame([ids, *(pl.Series(key, column) for key, column in kept.items())])


def predictions(store: Store, predicted: Mapping[str, Tensor]) -> pl.DataFrame:
    """Each test row: the raw id of its user, where rows name one, each label, and `predicted/<label>`.

    Args:
        predicted: {label: [N] float64} calibrated, in the order of the store's test rows.
    """
    rows = (store.split == SPLITS["test"]).nonzero().squeeze(1)
    columns = [] if store.schema.user is None else [store.user_ids.gather(store.user[rows].numpy()).alias(store.schema.user)]
    columns += [pl.Series(label, values[rows].numpy()).fill_nan(None) for label, values in store.labels.items()]
    return pl.DataFrame([*columns, *(pl.Series(f"predicted/{label}", values.numpy()) for label, values in predicted.items())])


def item_sample(store: Store) -> Tensor:
    """Entity indices of the items whose vectors are kept: all, or so many drawn by chance, the same for every model."""
    number = store.num_items
    if number <= MOST_ITEMS:
        return torch.arange(1, number + 1)
    return torch.from_numpy(np.sort(np.random.default_rng(0).choice(number, MOST_ITEMS, replace=False)) + 1)


def item_vectors(store: Store, source: Source, items: Tensor, vectors: Tensor) -> pl.DataFrame:
    """Each item's raw id, title, training events, small categories under their own names, and vector.

    Args:
        items: entity indices.
        vectors: [items, D] float32.
    """
    ids = store.item_ids.gather(items.numpy()).alias(store.schema.item)
    titles = item_titles(store, source, ids.to_list())
    frame = pl.DataFrame(
        [
            ids,
            pl.Series("title", [titles.get(raw) for raw in ids.to_list()], dtype=pl.String),
            pl.Series("training_events", store.item_count[items].numpy()),
            pl.Series("vector", vectors.cpu().numpy()),
        ]
    )
    for column in _small_categories(store):
        if column not in frame.columns:
            values = store.vocabulary(column).gather(store.item_features[column][items].numpy())
            frame = frame.with_columns(values.cast(pl.String).alias(column))
    return frame


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a parquet file whole."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_whole(path, buffer.getvalue())


def _small_categories(store: Store) -> Sequence[str]:
    kinds = [feature for feature in store.schema.of("item") if isinstance(feature, Categorical) and not feature.buckets]
    sizes = store.schema.statistics
    return [kind.column for kind in kinds if kind.column != store.schema.item and sizes[kind.column].size - FIRST_KNOWN <= MOST_VALUES]
