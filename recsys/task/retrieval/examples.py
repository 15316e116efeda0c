"""Some test users with what they had, what they chose and what they were recommended. U users, K places."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.data.read.raw_values import raw_values
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.source.base import Source
from recsys.task.item_names import item_names

NUMBER, LISTED, SEED = 8, 10, 0
"""Users that are shown, items of each of their lists, and the seed that they are drawn by."""


def user_examples(
    store: Store, source: Source, *, users: Tensor, recommended: Tensor, measured: Mapping[str, Tensor], exclude_known: bool
) -> dict[str, Any]:
    """What examples.json of a retrieval run holds.

    Users are drawn by a seed that is the same for every model, before anything is known of how they fare.

    Args:
        users: [U] entity indices of the test users.
        recommended: [U, K] items of their lists, 0 where a list is shorter.
        measured: {metric: [U]}, such as "recall@20".
        exclude_known: whether what a user had before the test counts as found.
    """
    number = min(NUMBER, len(users))
    at = np.sort(np.random.default_rng(SEED).choice(len(users), number, replace=False)).tolist()
    lists = [_lists(store, int(users[row]), recommended[row], exclude_known=exclude_known) for row in at]
    names = item_names(store, source, (item for of_user in lists for items in of_user.values() for item in items))
    features = {column: values[users[at]] for column, values in store.user_features.items()}
    about = raw_values(store, features)
    ids = store.user_ids.gather(users[at].numpy()).to_list()
    shown = []
    for row, user, told, of_user in zip(at, ids, about, lists):
        chosen = set(of_user["truth"])
        entries = {name: [names[item] for item in items[:LISTED]] for name, items in of_user.items()}
        entries["recommended"] = [{**names[item], "hit": item in chosen} for item in of_user["recommended"][:LISTED]]
        counts = {f"num_{name}": len(of_user[name]) for name in ("history", "truth")}
        values = {metric: float(column[row]) for metric, column in measured.items()}
        about_user = {column: value for column, value in told.items() if column != store.schema.user}
        shown.append({"user": user, "about": about_user, **entries, **counts, "measured": values})
    chosen_how = f"{number} of {len(users):,} test users, drawn by chance with seed {SEED}: the same for every model on these data"
    return {"task": "retrieval", "chosen": chosen_how, "users": shown}


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
