"""Features that predict a label alone, most likely because they were written after it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from recsys.data.check.feature_auc import MIN_ROWS, feature_auc
from recsys.data.split import TRAIN
from recsys.data.store import Store
from recsys.errors import Fault
from recsys.schema import Entity, Feature, Label

MAX_ROWS = 1_000_000
"""Most training rows that are read; of more, a fixed random choice of about this many is enough."""


@dataclass(frozen=True)
class FeatureAuc:
    """AUC of one feature alone for one label.

    Attributes:
        feature, label: columns.
        auc: see `feature_auc`.
        rows: training rows behind it.
        given: column that was 1 in all of them; None = no such condition.
    """

    feature: str
    label: str
    auc: float
    rows: int
    given: str | None


def feature_aucs(store: Store) -> tuple[list[FeatureAuc], list[str]]:
    """AUC of every feature but vectors for every binary label, over the label's training rows; and sentences on labels left out."""
    aucs: list[FeatureAuc] = []
    notes: list[str] = []
    for label in store.schema.labels:
        if label.kind != "binary":
            continue
        rows = _training_rows(store, label)
        positive = store.labels[label.column].numpy()[rows] == 1
        fewer = min(int(positive.sum()), int((~positive).sum()))
        if fewer < MIN_ROWS:
            notes.append(f"label '{label.column}': no feature was checked for leaking it, with {fewer:,} training rows of 0 or of 1")
        else:
            aucs += _of_label(store, label, rows, positive)
    return aucs, notes


def leak_faults(aucs: Iterable[FeatureAuc], limit: float) -> list[Fault]:
    """One fault per feature and label with an AUC above the limit (data.max_feature_auc)."""
    return [_fault(entry, limit) for entry in aucs if entry.auc > limit]


def _training_rows(store: Store, label: Label) -> np.ndarray:
    """Ascending training rows in which the label is known, and its given label is 1."""
    known = (store.split.numpy() == TRAIN) & ~np.isnan(store.labels[label.column].numpy())
    if label.given is not None:
        known &= store.labels[label.given].numpy() == 1
    rows = np.flatnonzero(known)
    if len(rows) <= MAX_ROWS:
        return rows
    return rows[_random().random(len(rows), dtype=np.float32) < MAX_ROWS / len(rows)]


def _of_label(store: Store, label: Label, rows: np.ndarray, positive: np.ndarray) -> Iterator[FeatureAuc]:
    """AUC of every feature but vectors for one label.

    Args:
        rows: [R] rows of the store.
        positive: [R] bool.
    """
    side = 2 * _random().integers(2, size=len(rows)) + positive  # [R] half and label
    counts = {
        "user": _counts(store.user.numpy()[rows], side, store.num_users + 1),
        "item": _counts(store.item.numpy()[rows], side, store.num_items + 1),
        "context": _counts(np.arange(len(rows)), side, len(rows)),
    }
    for feature in store.schema.features:
        entity, values = _values(store, feature, rows)
        if readings := feature.readings(values):
            yield FeatureAuc(feature.column, label.column, *feature_auc(readings, counts[entity]), label.given)


def _counts(unit: np.ndarray, side: np.ndarray, size: int) -> np.ndarray:
    """[size, 2, 2] rows of each unit by half and label."""
    return np.bincount(4 * unit.astype(np.int64) + side, minlength=4 * size).reshape(size, 2, 2)


def _values(store: Store, feature: Feature, rows: np.ndarray) -> tuple[Entity, np.ndarray]:
    """Entity that has the values, and the values: [n + 1, ...] by user or item, or [R, ...] by row."""
    if not feature.is_stored:
        return "context", store.history_stop.numpy()[rows] - store.event_start.numpy()[store.user.numpy()[rows]]
    if feature.entity == "user":
        return "user", store.user_features[feature.column].numpy()
    if feature.entity == "item":
        return "item", store.item_features[feature.column].numpy()
    return "context", store.context_features[feature.column].numpy()[rows]


def _random() -> np.random.Generator:
    """Generator of the same numbers each time: two runs on the same data find the same."""
    return np.random.Generator(np.random.Philox(0))


def _fault(entry: FeatureAuc, limit: float) -> Fault:
    among = "training rows" if entry.given is None else f"training rows where {entry.given}=1"
    return Fault(
        f"feature '{entry.feature}' alone tells label '{entry.label}': AUC {entry.auc:.4f} over {entry.rows:,} {among}, "
        f"above data.max_feature_auc={limit:g}; it was probably written after the fact",
        f"data.features, column '{entry.feature}'",
        f"leave the column out of data.features, or raise data.max_feature_auc (1 = off) if it is known before {entry.label}",
    )
