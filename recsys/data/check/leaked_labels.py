"""Features that predict a label alone, most likely because they were written after it.

R training rows, n units (the users, the items, or the rows themselves), L list length, C codes. Rows are counted as [.., 2, 2]: by half,
then by label.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.split import TRAIN
from recsys.data.store import Store
from recsys.errors import Fault
from recsys.metric.binary import Tally
from recsys.schema import PAD, Entity, Feature, Label
from recsys.schema.kind.base import Reading

MAX_ROWS = 1_000_000
"""Most training rows that are read; of more, a fixed random choice of about this many is enough."""
MIN_ROWS = 50
"""Rows of either class that an AUC needs: with 50, a score of true AUC .95 reached .99 in none of 2,000 drawings, one of .97 in five."""
PRIOR_ROWS = 10
"""Rows at the overall rate that are added to those of each value, so that a value seen once or twice says little."""


@dataclass(frozen=True)
class FeatureAuc:
    """AUC of one feature alone for one label; see `feature_auc`."""

    feature: str
    label: str
    auc: float
    rows: int  # training rows behind it
    given: str | None  # column that was 1 in all of them; None = no such condition


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
    faults = []
    for entry in aucs:
        if entry.auc > limit:
            rows = f"{entry.rows:,} training rows" + ("" if entry.given is None else f" where {entry.given}=1")
            what = f"feature '{entry.feature}' alone tells label '{entry.label}': AUC {entry.auc:.4f} over {rows}, above "
            what += f"data.max_feature_auc={limit:g}; it was probably written after the fact"
            remedy = f"leave the column out of data.features, or raise data.max_feature_auc (1 = off) if it is known before {entry.label}"
            faults.append(Fault(what, f"data.features, column '{entry.feature}'", remedy))
    return faults


def _training_rows(store: Store, label: Label) -> np.ndarray:
    """Ascending training rows in which the label is known, and its given label is 1."""
    known = (store.split.numpy() == TRAIN) & ~np.isnan(store.labels[label.column].numpy())
    if label.given is not None:
        known &= store.labels[label.given].numpy() == 1
    rows = np.flatnonzero(known)
    if len(rows) <= MAX_ROWS:
        return rows
    return rows[_random().random(len(rows), dtype=np.float32) < MAX_ROWS / len(rows)]


def _random() -> np.random.Generator:
    """Generator of the same numbers each time: two runs on the same data find the same."""
    return np.random.Generator(np.random.Philox(0))


def _of_label(store: Store, label: Label, rows: np.ndarray, positive: np.ndarray) -> Iterator[FeatureAuc]:
    """AUC of every feature but vectors for one label, over rows [R] of the store of which some are `positive` [R]."""
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


def feature_auc(readings: Sequence[Reading], counts: np.ndarray) -> tuple[float, int]:
    """The best AUC of the readings of a feature, and the number of rows behind it.

    A category counts as the label's rate among the rows that share it, a list as the mean of its entries' rates. Rates are learnt from
    one half of the rows and scored on the other, in both directions: learnt and scored on the same rows, any id would tell any label. A
    number counts as it is, rising or falling, among the rows that have one, and as a category too, which finds a special value and a
    number that is only there after the fact.

    Args:
        readings: of [n] units, at least one.
        counts: [n, 2, 2] int64 rows of each unit by half and label, at least MIN_ROWS of each label.
    """
    return max(auc for reading in readings for auc in _aucs(reading, counts))


def _aucs(reading: Reading, counts: np.ndarray) -> Iterator[tuple[float, int]]:
    if reading.codes.ndim == 2:
        yield _out_of_fold(reading.codes, counts)
        return
    size = int(reading.codes.max()) + 1
    by_code = _sum_by_code(reading.codes, counts, size)
    yield _out_of_fold(np.arange(size)[:, None], by_code)
    if reading.numbers is not None:
        present = ~np.isnan(reading.numbers)
        by_label = by_code[present].sum(1)
        if by_label.sum(0).min() >= MIN_ROWS:
            rising = _auc(reading.numbers[present], by_label)
            yield max(rising, 1 - rising), int(by_label.sum())


def _out_of_fold(lists: np.ndarray, counts: np.ndarray) -> tuple[float, int]:
    """AUC of the mean rate of a list's codes, learnt from one half and scored on the other; mean of both directions.

    A code that only the other half has counts with the rate of all rows. So ids that differ in every row all score alike, and still tell a
    label where rows without an id score less.

    Args:
        lists: [n, L] codes from 0 on, padded with 0 on the right; a list without any holds one padding.
    """
    present = lists != PAD
    present[:, 0] = True
    size = int(lists.max()) + 1
    by_code = np.zeros((size, 2, 2), np.int64)
    for codes, there in zip(lists.T, present.T):
        by_code += _sum_by_code(codes, counts * there[:, None, None], size)
    aucs = []
    for half in (0, 1):
        negatives, positives = counts[:, half].sum(0)
        rate = (by_code[:, half, 1] + PRIOR_ROWS * positives / (negatives + positives)) / (by_code[:, half].sum(1) + PRIOR_ROWS)
        score = sum(rate[codes] * there for codes, there in zip(lists.T, present.T)) / present.sum(1)
        distinct, codes = np.unique(score, return_inverse=True)
        aucs.append(_auc(distinct, _sum_by_code(codes, counts[:, 1 - half], len(distinct))))
    return sum(aucs) / 2, int(counts.sum())


def _auc(distinct: np.ndarray, counts: np.ndarray) -> float:
    """AUC of [C] ascending scores over [C, 2] rows by label."""
    return Tally(distinct, rows=counts.sum(1), positives=counts[:, 1]).auc()


def _sum_by_code(codes: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """[size, ...] int64: counts [n, ...] added up by code [n]."""
    columns = counts.reshape(len(codes), -1).T
    summed = [np.bincount(codes, weights=column, minlength=size) for column in columns]  # float64 is exact up to 2^53
    return np.stack(summed, 1).astype(np.int64).reshape(size, *counts.shape[1:])
