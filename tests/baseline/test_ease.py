"""EASE against its definition: a ridge regression per item with its own weight held at zero."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from recsys.baseline.base import TrainingEvents
from recsys.baseline.ease import EASE


def events(chosen: np.ndarray) -> TrainingEvents:
    user, item = (torch.from_numpy(index + 1) for index in chosen.nonzero())
    return TrainingEvents(user, item, torch.zeros_like(user), num_users=chosen.shape[0], num_items=chosen.shape[1])


def test_weights_equal_one_ridge_regression_per_item():
    chosen = np.random.default_rng(0).random((20, 6)) < 0.4
    baseline = EASE(l2=3.0, max_items=10)
    baseline.fit(events(chosen))

    for target in range(6):
        others = np.delete(np.arange(6), target)
        ridge = Ridge(alpha=3.0, fit_intercept=False).fit(chosen[:, others].astype(float), chosen[:, target].astype(float))
        assert baseline.weights[others + 1, target + 1] == pytest.approx(ridge.coef_, abs=1e-6)
        assert baseline.weights[target + 1, target + 1] == 0


def test_scores_sum_the_weights_of_known_items():
    baseline = EASE(l2=1.0, max_items=10)
    baseline.fit(events(np.random.default_rng(1).random((9, 4)) < 0.5))

    scores = baseline.scores(torch.tensor([1, 2]), torch.tensor([[0, 0, 1], [1, 3, 2]]))

    assert scores[0].numpy() == pytest.approx(baseline.weights[1] + baseline.weights[3])
    assert scores[1].numpy() == pytest.approx(baseline.weights[2])
    assert scores.dtype == torch.float32


def test_large_catalogue_is_skipped():
    small = events(np.ones((2, 3), dtype=bool))

    assert EASE(l2=1.0, max_items=3).skipped(small) is None
    assert "3 items, more than max_items=2" in EASE(l2=1.0, max_items=2).skipped(small)
