"""Alternating least squares against its own normal equations, and against the sum that it minimises."""

import numpy as np
import pytest
import torch

from recsys.baseline import ials
from recsys.baseline.base import TrainingEvents
from recsys.baseline.ials import IALS, least_squares
from recsys.baseline.item_knn import user_item_matrix


def nobody(scorer) -> float:
    """A judge where nothing is to be chosen."""
    raise AssertionError("nothing is to be chosen")


def events(chosen: np.ndarray) -> TrainingEvents:
    user, item = (torch.from_numpy(index + 1) for index in chosen.nonzero())
    return TrainingEvents(user, item, torch.zeros_like(user), num_users=chosen.shape[0], num_items=chosen.shape[1])


def baseline(**changes) -> IALS:
    return IALS(**{"dim": 3, "sweeps": 5, "unobserved": [0.1], "l2": [0.05], "seconds": 60, "seed": 0, **changes})


def loss(chosen: np.ndarray, users: np.ndarray, items: np.ndarray, unobserved: float, l2: float) -> float:
    """The sum that iALS minimises, term by term."""
    scores = users @ items.T
    own = l2 * (chosen.sum(1) + unobserved * chosen.shape[1]), l2 * (chosen.sum(0) + unobserved * chosen.shape[0])
    penalty = (own[0] * (users**2).sum(1)).sum() + (own[1] * (items**2).sum(1)).sum()
    return float(((scores - 1) ** 2 * chosen).sum() + unobserved * (scores**2).sum() + penalty)


@pytest.mark.parametrize("entries", [2**18, 12, 1])
def test_a_vector_solves_the_normal_equations_of_its_row(monkeypatch, entries):
    monkeypatch.setattr(ials, "ENTRIES", entries)  # rows in one block, in several, one by one
    chosen = np.random.default_rng(0).random((9, 6)) < 0.5
    chosen[4] = False
    items = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    items[0] = 0
    users = least_squares(user_item_matrix(events(chosen)), items, unobserved=0.2, l2=0.3)
    assert users.shape == (10, 3)
    own = items[1:].double().numpy()
    for row, mine in enumerate(chosen):
        left = own[mine].T @ own[mine] + 0.2 * own.T @ own + 0.3 * (mine.sum() + 0.2 * 6) * np.eye(3)
        assert users[row + 1].numpy() == pytest.approx(np.linalg.solve(left, own[mine].sum(0)), abs=1e-5)
    assert users[[0, 5]].count_nonzero() == 0


def test_each_side_minimises_the_loss_given_the_other():
    chosen = np.random.default_rng(3).random((12, 8)) < 0.4
    fitted = baseline(sweeps=30)
    fitted.fit(events(chosen), nobody)
    matrix = user_item_matrix(events(chosen))
    users = least_squares(matrix, fitted.items, unobserved=0.1, l2=0.05)[1:].double().numpy()
    items = fitted.items[1:].double().numpy()
    lowest = loss(chosen, users, items, 0.1, 0.05)
    generator = np.random.default_rng(4)
    for _ in range(20):
        assert loss(chosen, users + 0.01 * generator.normal(size=users.shape), items, 0.1, 0.05) > lowest
    once = baseline(sweeps=1)
    once.fit(events(chosen), nobody)
    early = least_squares(matrix, once.items, unobserved=0.1, l2=0.05)[1:].double().numpy()
    assert lowest < loss(chosen, early, once.items[1:].double().numpy(), 0.1, 0.05)


def test_scores_are_of_the_known_items_and_nobody_is_zero():
    chosen = np.zeros((20, 6), dtype=bool)
    chosen[:10, :3] = True  # two groups, which choose apart
    chosen[10:, 3:] = True
    fitted = baseline()
    fitted.fit(events(chosen), nobody)
    scores = fitted.scores(torch.tensor([7, 8, 9]), torch.tensor([[0, 1, 1], [1, 5, 6]]))
    assert scores.shape == (3, 7)
    assert scores[0, [2, 3]].min() > 0.5 > scores[0, 4:].abs().max() + 0.3
    assert scores[1, 4] > 0.5
    assert scores[2].count_nonzero() == 0
    assert scores.dtype == torch.float32


def test_validation_chooses_the_weight_then_the_penalty():
    fitted = baseline(unobserved=[0.1, 1.0], l2=[0.05, 5.0])
    fitted.fit(events(np.random.default_rng(3).random((12, 8)) < 0.4), lambda scorer: -float(scorer.items.norm()))
    assert fitted.note == "unobserved=1.0 (of 0.1, 1.0), l2=5.0 (of 0.05, 5.0)"
    assert fitted.rule == (1.0, 5.0)


def test_what_takes_too_long_is_skipped():
    few = events(np.ones((2, 3), dtype=bool))
    assert baseline().skipped(few) is None
    # 5 sweeps of (4 * 6 * 9 + 5 * 27) operations
    assert "6 events takes longer" in baseline(seconds=0.9 * 5 * 351 / 2e10).skipped(few)
