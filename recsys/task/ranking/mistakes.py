"""The test rows of which a ranker was most wrong. N rows."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recsys.data.read.impressions import EvaluationImpressions
from recsys.data.read.raw_values import raw_values
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.metric.funnel import Target
from recsys.source.base import Source
from recsys.task.item_names import item_names

NUMBER = 3
"""Rows of each kind of mistake."""
HIGH, LOW, FAR = "false alarm", "missed", "far off"
CHOSEN = f"of every label the {NUMBER} rows with the highest prediction that did not come true, and the {NUMBER} with the lowest that did"


def row_mistakes(store: Store, source: Source, measured: Sequence[Target]) -> dict[str, Any]:
    """What examples.json of a ranking run holds.

    Args:
        measured: labels and funnels at test.
    """
    found = [(target, kind, rows) for target in measured for kind, rows in _worst(target).items()]
    every = torch.cat([rows for _, _, rows in found]) if found else torch.empty(0, dtype=torch.int64)
    told = iter(_rows(store, source, every))
    mistakes = [
        {"label": target.name, "kind": kind, "predicted": float(target.predicted[row]), "actual": float(target.actual[row]), **next(told)}
        for target, kind, rows in found
        for row in rows.tolist()
    ]
    return {"task": "ranking", "chosen": CHOSEN, "mistakes": mistakes}


def _worst(target: Target) -> dict[str, Tensor]:
    """{kind: rows, the worst first}; equal predictions in the order of rows."""
    rows = target.rows.nonzero().squeeze(1)
    predicted, actual = target.predicted[rows], target.actual[rows]
    if not target.binary:
        return {FAR: rows[(predicted - actual).abs().argsort(descending=True, stable=True)[:NUMBER]]}
    negative, positive = rows[actual == 0], rows[actual == 1]
    high = negative[target.predicted[negative].argsort(descending=True, stable=True)[:NUMBER]]
    low = positive[target.predicted[positive].argsort(stable=True)[:NUMBER]]
    return {kind: rows for kind, rows in ((HIGH, high), (LOW, low)) if len(rows)}


def _rows(store: Store, source: Source, number: Tensor) -> list[dict[str, Any]]:
    """{"user", "item", "row"} of test rows: raw ids where rows name them, and the raw values of their columns."""
    if not len(number):
        return []
    row = (store.split == SPLITS["test"]).nonzero().squeeze(1)[number]
    schema, items = store.schema, store.item[row].tolist()
    names = {} if schema.item is None else item_names(store, source, items)
    users = [None] * len(row) if schema.user is None else store.user_ids.gather(store.user[row].numpy()).to_list()
    values = raw_values(store, EvaluationImpressions(store, "test").batch(number).features)
    columns = [{column: value for column, value in told.items() if column not in (schema.user, schema.item)} for told in values]
    return [{"user": user, "item": names.get(item), "row": told} for user, item, told in zip(users, items, columns)]
