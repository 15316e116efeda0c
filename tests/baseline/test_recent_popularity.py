"""Recent popularity counts the last days only."""

import torch

from recsys.baseline.base import TrainingEvents
from recsys.baseline.recent_popularity import RecentPopularity

DAY = 86_400_000_000  # microseconds


def nobody(scorer) -> float:
    """A judge where nothing is to be chosen."""
    raise AssertionError("nothing is to be chosen")


def events(days: list[float]) -> TrainingEvents:
    """Event number i of item i + 1."""
    time = torch.tensor([int(day * DAY) for day in days])
    return TrainingEvents(torch.ones(len(days), dtype=torch.int64), torch.arange(1, len(days) + 1), time, num_users=1, num_items=len(days))


def test_only_events_of_the_last_days_count():
    baseline = RecentPopularity(days=2)

    baseline.fit(events([0, 7.9, 8.1, 10, 9]), nobody)

    assert baseline.scores(torch.tensor([1]), torch.empty((2, 0), dtype=torch.int64)).tolist() == [[0, 0, 0, 1, 1, 1]]


def test_window_longer_than_the_events_is_skipped():
    assert RecentPopularity(days=2).skipped(events([0, 5])) is None
    assert "span less than 7 days" in RecentPopularity(days=7).skipped(events([0, 5]))


def test_ranks_instead_of_moments_are_skipped():
    ranks = TrainingEvents(torch.ones(3, dtype=torch.int64), torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]), num_users=1, num_items=3)

    assert "only a rank" in RecentPopularity(days=7).skipped(ranks)
