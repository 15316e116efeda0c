"""Impressions of a split with their features and labels, for ranking; batches are made on the device of the store.

B rows of a batch, N rows of a split, L list length.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recsys.baseline.base import FeatureTable
from recsys.batch import Batch, ImpressionBatch, Outcomes
from recsys.data.read.facts import item_slices, row_slices, user_slices
from recsys.data.read.rows import SPLITS, Histories, Rows, gather_rows
from recsys.data.store import Store
from recsys.schema import Schema

TABLE_CHUNK = 65_536
"""Rows that are turned into a table at once."""


class Impressions(Rows):
    """The rows of a split (0 train, 1 validation, 2 test), shown or chosen, with their labels.

    Histories hold what came strictly before a row.
    """

    def __init__(self, store: Store, split: int = 0):
        self.store = store
        self.histories = Histories(store)
        self.rows = (store.split == split).nonzero().squeeze(1)  # [N]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        """{column: [B] or [B, L]} of user, item, context and bias features; labels [B]."""
        store = self.store
        row = self.rows[index.to(self.rows.device)]
        user, item = store.user[row].long(), store.item[row].long()
        features = gather_rows(store.user_features, user) | self.histories.before(store.event_start[user], store.history_stop[row])
        features |= gather_rows(store.item_features, item) | gather_rows(store.context_features, row)
        labels = {column: values.index_select(0, row) for column, values in store.labels.items()}
        return Batch(features, labels, torch.ones(len(row), device=row.device), user, item)


class EvaluationImpressions:
    """Impressions of an evaluated split, "val" or "test": their features, and numbers that find their outcomes."""

    def __init__(self, store: Store, split: str):
        self.impressions = Impressions(store, SPLITS[split])

    def __len__(self) -> int:
        return len(self.impressions)

    def batch(self, index: Tensor) -> ImpressionBatch:
        """The impressions [B] int64 of these numbers; a pure function."""
        return ImpressionBatch(self.impressions.batch(index).features, index.to(self.impressions.rows.device))


def outcomes(store: Store, split: str, item_columns: tuple[str, ...]) -> Outcomes:
    """Outcomes of a split's impressions, in the order of `EvaluationImpressions`.

    The rows are divided by activity, by popularity, and by categorical columns of at most 20 values: `item_columns`, all of users and rows.
    """
    rows = (store.split == SPLITS[split]).nonzero().squeeze(1)
    user, item = store.user[rows].long().cpu(), store.item[rows].long().cpu()
    labels = {column: values[rows].cpu() for column, values in store.labels.items()}
    knows_user, knows_item = store.schema.user is not None, store.schema.item is not None
    slices = row_slices(store, rows)
    if knows_user:
        slices += [replace(part, codes=part.codes[user]) for part in user_slices(store)]
    if knows_item:
        slices += [replace(part, codes=part.codes[item]) for part in item_slices(store, item_columns)]
    grouped = knows_user or store.schema.session is not None
    return Outcomes(labels, user if knows_user else None, store.session[rows].long().cpu() if grouped else None, slices)


def feature_table(store: Store, split: int) -> FeatureTable:
    """The columns of the rows of a split (0 train, 1 validation, 2 test) for tabular models, in their order.

    Numbers as they are, moments as hour and weekday, lists of few values as indicators, histories as their length and whether the row's
    item is in them.
    """
    impressions = Impressions(store, split)
    parts = [_tabular(store.schema, impressions.batch(index).features) for index in torch.arange(len(impressions)).split(TABLE_CHUNK)]
    numbers, categories = (np.concatenate(columns) for columns in zip(*parts))
    columns = [feature for feature in store.schema.features if feature.is_category]
    sizes = tuple(store.schema.statistics[feature.column].size for feature in columns)
    return FeatureTable(numbers, categories, sizes, tuple(place for place, feature in enumerate(columns) if feature.entity == "bias"))


def _tabular(schema: Schema, features: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """[B, P] float32 numbers and [B, C] int64 categories of a batch."""
    values = {column: tensor.cpu().numpy() for column, tensor in features.items()}
    rows = len(next(iter(values.values())))
    numbers, categories = [np.empty((rows, 0), np.float32)], [np.empty((rows, 0), np.int64)]
    for feature in schema.features:
        columns = feature.table_columns(values, schema.statistics[feature.column])
        (categories if feature.is_category else numbers).append(columns)
    return np.concatenate(numbers, 1), np.concatenate(categories, 1)
