"""What the test of a retrieval run leaves for reports and comparisons: what each user got, examples, and where items lie.

U users, D dim.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.data.store import Store
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.metric.per_user import declarations
from recsys.run.directory import DATA, EXAMPLES, ITEM_VECTORS, PER_USER
from recsys.schema import FIRST_KNOWN
from recsys.source.base import Source
from recsys.task.evidence import described_data, write_document, write_table
from recsys.task.item_names import item_titles
from recsys.task.retrieval.evaluation import CatalogueEvaluation
from recsys.task.retrieval.examples import user_examples

MOST_ITEMS = 2_000
"""Items whose vectors are kept."""
MOST_VALUES = 200
"""Categories with more values than this are not exported."""


def write_evidence(
    run: Path, store: Store, source: Source, *, name: str, evaluation: CatalogueEvaluation, items: Tensor, vectors: Tensor
) -> None:
    """Write per_user.parquet, item_vectors.parquet, examples.json and data.json.

    Args:
        name: of the data config.
        evaluation: after the test.
        items, vectors: entity indices, and [items, D], of some items.
    """
    values = evaluation.per_user
    measured = {key.removeprefix("test/"): column for key, column in values.items() if key.startswith("test/") and key != "test/user"}
    examples = user_examples(
        store,
        source,
        users=values["test/user"],
        recommended=evaluation.recommended,
        measured=measured,
        exclude_known=evaluation.exclude_known,
    )
    write_table(per_user(store, values), run / PER_USER)
    write_table(item_vectors(store, source, items, vectors), run / ITEM_VECTORS)
    write_document(examples, run / EXAMPLES)
    copy_raw_categories(store, run)
    write_document(described_data(store, name, rows=False), run / DATA)


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
    ids = store.user_ids.gather(kept.pop("test/user")).alias(str(store.schema.user))
    return pl.DataFrame([ids, *(pl.Series(key, column) for key, column in kept.items())])


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
    ids = store.item_ids.gather(items.numpy()).alias(str(store.schema.item))
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


def _small_categories(store: Store) -> Sequence[str]:
    kinds = [feature for feature in store.schema.of("item") if feature.is_category and feature.keeps_vocabulary]
    sizes = store.schema.statistics
    return [kind.column for kind in kinds if kind.column != store.schema.item and sizes[kind.column].size - FIRST_KNOWN <= MOST_VALUES]
