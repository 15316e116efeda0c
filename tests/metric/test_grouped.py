"""Metrics within groups against one group at a time: all pairs, and all orders of tied rows."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from recsys.metric.grouped import Groups, auc_per_group, ndcg_per_group, recall_per_group, sort_groups
from recsys.metric.impressions import impressions

ORDERS = {n: np.array(list(permutations(range(n)))) for n in range(1, 7)}
Row = tuple[float, int, int]

rows_of_groups = st.lists(
    st.tuples(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 1), st.sampled_from([-7, 0, 2**40, 3])), min_size=1
)
small_group = st.lists(st.tuples(st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 1)), min_size=1, max_size=6)
small_groups = st.lists(small_group, min_size=1, max_size=3)


def arrange(rows: list[Row]) -> Groups:
    probability, label, group = zip(*rows)
    return sort_groups(torch.tensor(probability, dtype=torch.float64), torch.tensor(label), torch.tensor(group))


def averages(rows: list[Row], k: int = 1) -> dict[str, float]:
    """Means over groups as a report has them, each group being a user; NaN where no group counts."""
    probability, label, group = zip(*rows)
    columns = torch.tensor(probability, dtype=torch.float64), torch.tensor(label)
    values, missing = impressions(*columns, user=torch.tensor(group), ks=[k]).metrics()
    return values | dict.fromkeys(missing, math.nan)


def pair_auc(rows: list[Row]) -> float:
    pairs = [(high, low) for high, positive, _ in rows if positive for low, other, _ in rows if not other]
    return sum((high > low) + 0.5 * (high == low) for high, low in pairs) / len(pairs) if pairs else math.nan


def average_over_orders(group: list[tuple[float, int]], k: int) -> tuple[float, float]:
    """Recall and NDCG, averaged over every order that sorts the probabilities."""
    probability, label = np.array(group).T
    orders = ORDERS[len(group)]
    hits = label[orders[(np.diff(probability[orders], axis=1) <= 0).all(1)]][:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = discount[: int(label.sum())].sum()
    return hits.sum(1).mean() / label.sum(), (hits * discount[: hits.shape[1]]).sum(1).mean() / ideal


@given(rows_of_groups)
@settings(max_examples=100, deadline=None)
def test_gauc_equals_a_loop_over_groups_and_pairs(rows):
    parts = [[row for row in rows if row[2] == group] for group in {row[2] for row in rows}]
    measured = [(pair_auc(part), len(part), sum(row[1] for row in part)) for part in parts]
    counted = [entry for entry in measured if not math.isnan(entry[0])]

    got = averages(rows)

    assert got["gauc_users"] == len(counted)
    if not counted:
        assert math.isnan(got["gauc"])
        assert math.isnan(got["gauc_by_positives"])
        return
    value, size, positives = np.array(counted).T
    assert got["gauc"] == pytest.approx(np.average(value, weights=size), abs=1e-12)
    assert got["gauc_by_positives"] == pytest.approx(np.average(value, weights=positives), abs=1e-12)


@given(small_groups, st.integers(1, 8), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_lists_equal_average_over_all_orders_of_ties(lists, k, random):
    rows = [(*row, group) for group, members in enumerate(lists) for row in members]
    random.shuffle(rows)
    groups = arrange(rows)

    recalls, ndcgs = recall_per_group(groups, k), ndcg_per_group(groups, k)

    counted = []
    for group, members in enumerate(lists):
        if any(label for _, label in members):
            counted.append(average_over_orders(members, k))
            assert (recalls[group], ndcgs[group]) == pytest.approx(counted[-1], abs=1e-12)
        else:
            assert math.isnan(recalls[group])
            assert math.isnan(ndcgs[group])
    expected = np.mean(counted, 0) if counted else (math.nan, math.nan)
    got = averages(rows, k)
    assert (got[f"recall@{k}"], got[f"ndcg@{k}"]) == pytest.approx(tuple(expected), abs=1e-12, nan_ok=True)
    assert got["ranked_lists"] == len(counted)


def test_groups_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    probability, label, group = rng.integers(0, 9, 600) / 9, rng.integers(0, 2, 600), rng.integers(0, 20, 600)
    groups = sort_groups(torch.from_numpy(probability), torch.from_numpy(label), torch.from_numpy(group))
    masks = [group == user for user in range(20)]  # 30 rows each, so both classes in each

    aucs = [roc_auc_score(label[mask], probability[mask]) for mask in masks]
    ndcgs = [ndcg_score([label[mask]], [probability[mask]], k=5) for mask in masks]

    assert auc_per_group(groups) == pytest.approx(aucs, abs=1e-12)
    assert ndcg_per_group(groups, 5) == pytest.approx(ndcgs, abs=1e-12)


def test_groups_by_hand():
    # user 1: order 1 0 (auc 1), user 2: order 0 (1 0) tied (auc (0 + 1/2) / 2), user 3 has no positive, user 4 no negative
    first = [(0.2, 1, 1), (0.1, 0, 1)]
    second = [(0.9, 0, 2), (0.8, 1, 2), (0.8, 0, 2)]
    got = averages([*second, (0.5, 0, 3), *first, (0.5, 1, 4), (0.6, 1, 4)], 2)

    assert (got["gauc"], got["gauc_users"]) == (pytest.approx((2 * 1 + 3 * 0.25) / 5, abs=1e-15), 2)
    assert got["gauc_by_positives"] == pytest.approx((1 + 0.25) / 2, abs=1e-15)
    # first 2: all of user 1, half of user 2's one positive, both of user 4
    assert (got["recall@2"], got["ranked_lists"]) == (pytest.approx((1 + 0.5 + 1) / 3, abs=1e-15), 3)
    assert got["ndcg@2"] == pytest.approx((1 + 0.5 / math.log2(3) + 1) / 3, abs=1e-15)


def test_gauc_ignores_which_users_convert():
    # user 1 converts and scores low: only order within a user counts
    got = averages([(0.2, 1, 1), (0.1, 0, 1), (0.9, 1, 2), (0.8, 0, 2), (0.7, 0, 2)])

    assert (got["gauc"], got["gauc_users"]) == (1.0, 2)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_gauc_undefined(label):
    got = averages([(0.1, label, 1), (0.2, label, 1), (0.3, label, 2)])

    assert math.isnan(got["gauc"])
    assert got["gauc_users"] == 0


def test_no_rows_make_no_groups():
    nothing = torch.empty(0, dtype=torch.int64)
    groups = sort_groups(nothing.double(), nothing, nothing)

    for values in (auc_per_group(groups), recall_per_group(groups, 3), ndcg_per_group(groups, 3)):
        assert len(values) == 0
