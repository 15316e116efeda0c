"""Popularity counts training interactions."""

import torch

from recsys.baseline.base import TrainingEvents
from recsys.baseline.popularity import Popularity


def nobody(scorer) -> float:
    """A judge where nothing is to be chosen."""
    raise AssertionError("nothing is to be chosen")


def test_scores_are_training_counts_for_everyone():
    item = torch.tensor([1, 3, 3, 1, 3])
    baseline = Popularity()

    baseline.fit(TrainingEvents(torch.tensor([1, 1, 1, 2, 2]), item, torch.zeros(5, dtype=torch.int64), num_users=2, num_items=4), nobody)

    assert baseline.scores(torch.tensor([2, 1]), torch.empty((2, 0), dtype=torch.int64)).tolist() == [[0, 2, 0, 3, 0]] * 2
