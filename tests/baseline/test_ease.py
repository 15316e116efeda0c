"""EASE against its definition: a ridge regression per item with its own weight held at zero."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from recsys.baseline.base import TrainingEvents
from recsys.baseline.ease import EASE


def nobody(scorer) -> float:
    """A judge where nothing is to be chosen."""
    raise AssertionError("nothing is to be chosen")


def events(chosen: np.ndarray) -> TrainingEvents:
    user, item = (torch.from_numpy(index + 1) for index in chosen.nonzero())
    return TrainingEvents(user, item, torch.zeros_like(user), num_users=chosen.shape[0], num_items=chosen.shape[1])


def test_weights_equal_one_ridge_regression_per_item():
    chosen = np.random.default_rng(0).random((20, 6)) < 0.4
    baseline = EASE(l2=[3.0], seconds=60)
    baseline.fit(events(chosen), nobody)

    for target in range(6):
        others = np.delete(np.arange(6), target)
        ridge = Ridge(alpha=3.0, fit_intercept=False).fit(chosen[:, others].astype(float), chosen[:, target].astype(float))
        assert baseline.weights[others + 1, target + 1] == pytest.approx(ridge.coef_, abs=1e-6)
        assert baseline.weights[target + 1, target + 1] == 0


def test_scores_sum_the_weights_of_known_items():
    baseline = EASE(l2=[1.0], seconds=60)
    baseline.fit(events(np.random.default_rng(1).random((9, 4)) < 0.5), nobody)

    scores = baseline.scores(torch.tensor([1, 2]), torch.tensor([[0, 0, 1], [1, 3, 2]]))

    assert scores[0].numpy() == pytest.approx(baseline.weights[1] + baseline.weights[3])
    assert scores[1].numpy() == pytest.approx(baseline.weights[2])
    assert scores.dtype == torch.float32


def test_a_catalogue_is_skipped_where_there_is_no_time_or_no_memory(monkeypatch):
    small = events(np.ones((2, 3), dtype=bool))
    assert EASE(l2=[1.0], seconds=60).skipped(small) is None
    large = replace(small, num_items=19_999)  # 20,000 ** 3 / 2e10 = 400 s
    assert "19,999 items takes about 400 s, more than seconds=399" in EASE(l2=[1.0], seconds=399).skipped(large)
    monkeypatch.setattr("recsys.baseline.ease.free_memory", lambda: 10**10)
    assert EASE(l2=[1.0], seconds=400).skipped(large) is None
    monkeypatch.setattr("recsys.baseline.ease.free_memory", lambda: 6 * 10**9)
    assert "6.8 GB, more than is free" in EASE(l2=[1.0], seconds=400).skipped(large)


def test_validation_chooses_the_penalty_as_far_as_there_is_time(monkeypatch):
    chosen = events(np.random.default_rng(2).random((30, 5)) < 0.5)
    seen = []

    def judge(baseline: EASE) -> float:
        seen.append(float(np.abs(baseline.weights).sum()))
        return {0: 0.2, 1: 0.3, 2: 0.1}[len(seen) - 1]

    baseline = EASE(l2=[1.0, 10.0, 100.0], seconds=60)
    baseline.fit(chosen, judge)
    assert baseline.note == "l2=10.0 (of 1.0, 10.0, 100.0)"
    assert seen[0] > seen[1] > seen[2]  # a larger penalty, smaller weights
    assert float(np.abs(baseline.weights).sum()) == seen[1]
    hurried = EASE(l2=[1.0, 10.0, 100.0], seconds=2.5 * 6**3 / 2e10)  # two fits: the first, and none to compare with
    hurried.fit(chosen, nobody)
    assert hurried.note == ""
    assert float(np.abs(hurried.weights).sum()) == seen[0]
