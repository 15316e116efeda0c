"""Files that the test of a retrieval run leaves for reports and comparisons: every user's metrics, examples, and a sample of item vectors.

U users, K places, D dim.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import pad

from recsys.batch import Catalogue
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.metric.per_user import declarations
from recsys.model.two_tower import TwoTower
from recsys.run.directory import DATA, EXAMPLES, ITEM_VECTORS, PER_USER
from recsys.schema import FIRST_KNOWN
from recsys.source.base import Source
from recsys.task.evidence import described_data, item_names, item_titles, write_document, write_table
from recsys.task.retrieval.evaluation import CatalogueEvaluation

MOST_ITEMS = 2_000
"""Items whose vectors are kept."""
MOST_VALUES = 200
"""Categories with more values than this are not exported."""
NUMBER, LISTED, SEED = 8, 10, 0
"""Users of examples.json, items of each of their lists, and the seed that they are drawn by."""


def write_evidence(
    run: Path, store: Store, source: Source, *, name: str, evaluation: CatalogueEvaluation, model: TwoTower, catalogue: Catalogue
) -> None:
    """Write per_user.parquet, item_vectors.parquet, examples.json and data.json, after the test; `name` is that of the data config."""
    values = evaluation.per_user
    measured = {key.removeprefix("test/"): column for key, column in values.items() if key.startswith("test/") and key != "test/user"}
    users, exclude_known = values["test/user"], evaluation.exclude_known
    examples = user_examples(store, source, users=users, recommended=evaluation.recommended, measured=measured, exclude_known=exclude_known)
    items = item_sample(store)
    on_device = catalogue.to(next(model.parameters()).device)
    vectors = model.catalogue(on_device.rows(pad(items, (1, 0)).to(on_device.count.device)))[1:]  # row 0 pads
    write_table(per_user(store, values), run / PER_USER)
    write_table(item_vectors(store, source, items, vectors), run / ITEM_VECTORS)
    write_document(examples, run / EXAMPLES)
    copy_raw_categories(store, run)
    write_document(described_data(store, name, rows=False), run / DATA)


def per_user(store: Store, values: Mapping[str, Tensor]) -> pl.DataFrame:
    """Raw ids of test users, whose entity indices are "test/user" of these values [U], and float64 columns named as in metrics.json."""
    rivals = tuple(f"{metric.name}@" for metric in declarations() if metric.rivals)
    keys = [key for key in values if key.startswith("test/") or ("/test/" in key and key.rpartition("/")[2].startswith(rivals))]
    ids = store.user_ids.gather(values["test/user"].numpy()).alias(str(store.schema.user))
    return pl.DataFrame([ids, *(pl.Series(key, values[key].numpy()) for key in keys if key != "test/user")])


def item_sample(store: Store) -> Tensor:
    """Entity indices of the items whose vectors are kept: all, or so many drawn by chance, the same for every model."""
    number = store.num_items
    if number <= MOST_ITEMS:
        return torch.arange(1, number + 1)
    return torch.from_numpy(np.sort(np.random.default_rng(0).choice(number, MOST_ITEMS, replace=False)) + 1)


def item_vectors(store: Store, source: Source, items: Tensor, vectors: Tensor) -> pl.DataFrame:
    """Each item's raw id, title, training events, vector [items, D] float32, and small categories under their own names."""
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
    for kind in store.schema.of("item"):
        column = kind.column
        small = kind.is_category and kind.keeps_vocabulary and store.schema.statistics[column].size - FIRST_KNOWN <= MOST_VALUES
        if small and column != store.schema.item and column not in frame.columns:
            values = store.vocabulary(column).gather(store.item_features[column][items].numpy())
            frame = frame.with_columns(values.cast(pl.String).alias(column))
    return frame


def user_examples(
    store: Store, source: Source, *, users: Tensor, recommended: Tensor, measured: Mapping[str, Tensor], exclude_known: bool
) -> dict[str, Any]:
    """Content of examples.json of a retrieval run.

    Users are drawn by a seed that is the same for every model, before anything is known of how they fare.

    Args:
        users: [U] entity indices.
        recommended: [U, K] items of their lists, 0 where a list is shorter.
        measured: {metric: [U]}, such as "recall@20".
        exclude_known: whether what a user had before the test counts as found.
    """
    number = min(NUMBER, len(users))
    at = np.sort(np.random.default_rng(SEED).choice(len(users), number, replace=False)).tolist()
    lists = [_lists(store, int(users[row]), recommended[row], exclude_known=exclude_known) for row in at]
    names = item_names(store, source, (item for of_user in lists for items in of_user.values() for item in items))
    about = store.raw_values({column: values[users[at]] for column, values in store.user_features.items()})
    ids = store.user_ids.gather(users[at].numpy()).to_list()
    examples = []
    for row, user, values, of_user in zip(at, ids, about, lists):
        chosen = set(of_user["truth"])
        entries = {name: [names[item] for item in items[:LISTED]] for name, items in of_user.items()}
        entries["recommended"] = [{**names[item], "hit": item in chosen} for item in of_user["recommended"][:LISTED]]
        counts = {f"num_{name}": len(of_user[name]) for name in ("history", "truth")}
        metrics = {metric: float(column[row]) for metric, column in measured.items()}
        about_user = {column: value for column, value in values.items() if column != store.schema.user}
        examples.append({"user": user, "about": about_user, **entries, **counts, "measured": metrics})
    chosen_by = f"{number} of {len(users):,} test users, drawn by chance with seed {SEED}: the same for every model on these data"
    return {"task": "retrieval", "chosen": chosen_by, "users": examples}


def _lists(store: Store, user: int, recommended: Tensor, *, exclude_known: bool) -> dict[str, list[int]]:
    """Items: what the user had, the latest first; what they chose in the test; what was recommended."""
    start, stop = store.event_start[user : user + 2].tolist()
    items, before = store.event_item[start:stop], store.event_split[start:stop] < SPLITS["test"]
    inside = store.event_split[start:stop] == SPLITS["test"]
    new = inside & ~torch.isin(items, items[before]) if exclude_known else inside
    return {
        "history": items[before].flip(0).tolist(),
        "truth": list(dict.fromkeys(items[new].tolist())),
        "recommended": [item for item in recommended.tolist() if item],
    }
