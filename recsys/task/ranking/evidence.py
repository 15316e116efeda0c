"""Files that the test of a ranking run leaves for reports and comparisons: predictions of every row, and the worst of them. N rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from recsys.data.read.impressions import EvaluationImpressions
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.metric.funnel import Target, targets
from recsys.run.directory import DATA, EXAMPLES, PREDICTIONS
from recsys.source.base import Source
from recsys.task.evidence import described_data, item_names, write_document, write_table
from recsys.task.ranking.evaluation import ImpressionEvaluation

NUMBER = 3
"""Rows of each kind of mistake."""
HIGH, LOW, FAR = "false alarm", "missed", "far off"
CHOSEN = f"of every label the {NUMBER} rows with the highest prediction that did not come true, and the {NUMBER} with the lowest that did"


def write_evidence(run: Path, store: Store, source: Source, *, name: str, evaluation: ImpressionEvaluation) -> None:
    """Write predictions.parquet, examples.json and data.json, after the test; `name` is that of the data config."""
    predicted = evaluation.predicted
    labels = {column: values[store.split == SPLITS["test"]] for column, values in store.labels.items()}
    write_table(predictions(store, predicted), run / PREDICTIONS)
    write_document(row_mistakes(store, source, targets(store.schema.labels, predicted, labels)), run / EXAMPLES)
    copy_raw_categories(store, run)
    write_document(described_data(store, name, rows=True), run / DATA)


def predictions(store: Store, predicted: Mapping[str, Tensor]) -> pl.DataFrame:
    """Each test row, in the order of the store: the raw id of its user, where rows name one, each label, and `predicted/<label>`."""
    rows = (store.split == SPLITS["test"]).nonzero().squeeze(1)
    columns = [] if store.schema.user is None else [store.user_ids.gather(store.user[rows].numpy()).alias(store.schema.user)]
    columns += [pl.Series(label, values[rows].numpy()).fill_nan(None) for label, values in store.labels.items()]
    return pl.DataFrame([*columns, *(pl.Series(f"predicted/{label}", values.numpy()) for label, values in predicted.items())])


def row_mistakes(store: Store, source: Source, measured: Sequence[Target]) -> dict[str, Any]:
    """Content of examples.json of a ranking run, from labels and funnels at test."""
    worst = [(target, kind, row) for target in measured for kind, rows in _worst(target).items() for row in rows.tolist()]
    described = _rows(store, source, torch.tensor([row for _, _, row in worst], dtype=torch.int64))
    mistakes = [
        {"label": target.name, "kind": kind, "predicted": float(target.predicted[row]), "actual": float(target.actual[row]), **about}
        for (target, kind, row), about in zip(worst, described)
    ]
    return {"task": "ranking", "chosen": CHOSEN, "mistakes": mistakes}


def _worst(target: Target) -> dict[str, Tensor]:
    """{kind: rows, the worst first}; equal predictions in the order of rows."""
    rows = target.rows.nonzero().squeeze(1)
    predicted, actual = target.predicted_and_actual()
    if not target.binary:
        return {FAR: rows[(predicted - actual).abs().argsort(descending=True, stable=True)[:NUMBER]]}
    negative, positive = rows[actual == 0], rows[actual == 1]
    high = negative[target.predicted[negative].argsort(descending=True, stable=True)[:NUMBER]]
    return {HIGH: high, LOW: positive[target.predicted[positive].argsort(stable=True)[:NUMBER]]}


def _rows(store: Store, source: Source, number: Tensor) -> list[dict[str, Any]]:
    """{"user", "item", "row"} of test rows: raw ids where rows name them, and the raw values of their columns."""
    if not len(number):
        return []
    row = (store.split == SPLITS["test"]).nonzero().squeeze(1)[number]
    schema, items = store.schema, store.item[row].tolist()
    names = {} if schema.item is None else item_names(store, source, items)
    users = [None] * len(row) if schema.user is None else store.user_ids.gather(store.user[row].numpy()).to_list()
    values = store.raw_values(EvaluationImpressions(store, "test").batch(number).features)
    columns = [{column: value for column, value in each.items() if column not in (schema.user, schema.item)} for each in values]
    return [{"user": user, "item": names.get(item), "row": about} for user, item, about in zip(users, items, columns)]
