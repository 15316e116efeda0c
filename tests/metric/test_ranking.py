"""Ranking metrics against all orders of tied items, against scikit-learn, and against numbers worked by hand."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from recsys.metric.ranking import METRICS, rank
from recsys.metric.scores import Dense
from recsys.metric.top_k import top_k

NOTHING = torch.empty((2, 0), dtype=torch.int64)
ORDERS = {n: np.array(list(permutations(range(n)))) for n in range(1, 8)}


def measure(scores: list[float], relevant: list[bool], ks: list[int], longest: int) -> dict[str, list[float]]:
    """Every metric of one user; item i + 1 has scores[i]."""
    items = torch.tensor([0.0, *scores], dtype=torch.float64)[None]
    chosen = torch.tensor(relevant).nonzero().T + 1
    pairs = torch.cat([torch.zeros_like(chosen), chosen])
    top = top_k(Dense(items), longest, known=NOTHING, relevant=pairs)
    ranking = rank(top, pairs[0], top.relevant_start)
    return {metric.name: metric.measure(ranking, ks)[0].tolist() for metric in METRICS}


def average_over_orders(scores: list[float], relevant: list[bool], k: int) -> dict[str, float]:
    """Textbook definitions, averaged over every order that sorts the scores."""
    orders = ORDERS[len(scores)]
    sorted_scores = np.array(scores)[orders]
    hits = np.array(relevant, dtype=float)[orders[(np.diff(sorted_scores, axis=1) <= 0).all(1)]][:, :k]
    total = sum(relevant)
    position = np.arange(1, hits.shape[1] + 1)
    ideal = sum(1 / np.log2(1 + p) for p in range(1, min(total, k) + 1))
    reciprocal = [next((1 / p for p, hit in zip(position, row) if hit), 0.0) for row in hits]
    precision_at_hit = np.cumsum(hits, 1) / position * hits
    return {
        "recall": hits.sum(1).mean() / total,
        "precision": hits.sum(1).mean() / k,
        "hit_rate": hits.any(1).mean(),
        "ndcg": (hits / np.log2(1 + position)).sum(1).mean() / ideal,
        "mrr": np.mean(reciprocal),
        "map": precision_at_hit.sum(1).mean() / min(total, k),
    }


tied_lists = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0.0, 1.0, 1e-300, -1e38, 3.5]), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(any),
    )
)


@given(tied_lists, st.integers(1, 9), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_metrics_equal_average_over_all_orders_of_ties(case, k, beyond):
    scores, relevant = case

    got = measure(scores, relevant, [k], k + beyond)

    for name, expected in average_over_orders(scores, relevant, k).items():
        assert got[name][0] == pytest.approx(expected, abs=1e-12), name


@given(tied_lists, st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_ndcg_equals_scikit_learn(case, k):
    scores, relevant = case
    if len(scores) == 1:  # scikit-learn refuses a single document
        return

    assert measure(scores, relevant, [k], 7)["ndcg"][0] == pytest.approx(ndcg_score([relevant], [scores], k=k), abs=1e-12)


def test_metrics_by_hand():
    # order: a b c d e; relevant b, d and e; k = 3 sees the hit at position 2 only
    got = measure([5.0, 4.0, 3.0, 2.0, 1.0], [False, True, False, True, True], [3, 5], 5)

    assert got["recall"] == [1 / 3, 1.0]
    assert got["precision"] == [1 / 3, 3 / 5]
    assert got["hit_rate"] == [1.0, 1.0]
    assert got["mrr"] == [0.5, 0.5]
    assert got["map"] == pytest.approx([1 / 2 / 3, (1 / 2 + 2 / 4 + 3 / 5) / 3], abs=1e-15)
    log2_3, log2_5, log2_6 = np.log2([3, 5, 6])
    ideal = 1 + 1 / log2_3 + 1 / 2
    assert got["ndcg"] == pytest.approx([1 / log2_3 / ideal, (1 / log2_3 + 1 / log2_5 + 1 / log2_6) / ideal], abs=1e-15)


def test_constant_scores_are_exactly_chance():
    num_items, num_relevant, k = 1000, 3, 10
    relevant = [item in (0, 500, 999) for item in range(num_items)]

    got = measure([0.25] * num_items, relevant, [k], k)

    # each position is relevant with probability 3 / 1000
    ideal = sum(1 / np.log2(1 + p) for p in range(1, num_relevant + 1))
    chance = 3 / 1000 * sum(1 / np.log2(1 + p) for p in range(1, k + 1)) / ideal
    assert got["recall"][0] == pytest.approx(k / num_items, abs=1e-15)
    assert got["precision"][0] == pytest.approx(num_relevant / num_items, abs=1e-15)
    assert got["ndcg"][0] == pytest.approx(chance, abs=1e-15)
    miss = np.prod([(num_items - num_relevant - i) / (num_items - i) for i in range(k)])
    assert got["hit_rate"][0] == pytest.approx(1 - miss, abs=1e-15)


def test_metrics_are_nan_without_relevant_items():
    got = measure([3.0, 2.0, 1.0], [False, False, False], [1, 3], 3)

    assert all(np.isnan(values).all() for values in got.values())


def test_score_of_minus_infinity_is_never_recommended():
    # the second item cannot be recommended: its user reaches 1 of 2 relevant items
    got = measure([1.0, -np.inf], [True, True], [2], 2)

    assert got["recall"] == [0.5]
    assert got["precision"] == [0.5]


@given(tied_lists, st.integers(1, 7), st.permutations(range(7)))
@settings(max_examples=50, deadline=None)
def test_metrics_ignore_item_order_and_monotone_maps(case, k, order):
    scores, relevant = case
    order = [item for item in order if item < len(scores)]
    rising = {score: float(place) for place, score in enumerate(sorted(set(scores)))}

    shuffled = measure([rising[scores[item]] for item in order], [relevant[item] for item in order], [k], 7)

    for name, values in measure(scores, relevant, [k], 7).items():
        assert shuffled[name] == pytest.approx(values, abs=1e-12), name
