"""The most chosen items, for everyone."""

import torch
from torch import Tensor

from recsys.baseline.base import Baseline, Judge, TrainingEvents


class Popularity(Baseline):
    """Score = positive training interactions of the item."""

    name = "popularity"

    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        self.count = torch.bincount(events.item, minlength=events.num_items + 1).float()  # [V]

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        return self.count.expand(len(user), -1)
