"""The most chosen items of the last days, for everyone: hard to beat where taste follows season and novelty."""

import torch
from torch import Tensor

from recsys.baseline.base import Baseline, Judge, TrainingEvents
from recsys.ranges import Positive

DAY_US = 24 * 60 * 60 * 1_000_000


class RecentPopularity(Baseline):
    """Score = positive interactions of the item in the last days before the test, validation included.

    Args:
        days: length of the window, counted back from the newest event.
    """

    name = "recent_popularity"
    sees_validation = True

    def __init__(self, days: Positive):
        self.days = days

    def skipped(self, events: TrainingEvents) -> str | None:
        """Events shorter than the window, and ranks instead of moments, would only repeat plain popularity."""
        if len(events.time) and events.time.max() - events.time.min() >= self.days * DAY_US:
            return None
        return f"events span less than {self.days:g} days (or their time is only a rank), so it would repeat popularity"

    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        recent = events.time > events.time.max() - self.days * DAY_US
        self.count = torch.bincount(events.item[recent], minlength=events.num_items + 1).float()  # [V]

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        return self.count.expand(len(user), -1)
