"""The batch's positives and uniformly drawn items together. Q queries, N candidates, V catalogue rows."""

import torch
from torch import Tensor

from recsys.candidates.base import (
    Candidates,
    Sampled,
    draw_uniform,
    log_absence,
    log_inclusion,
    merge,
    step_generator,
    trained_items,
    without_padding,
)
from recsys.ranges import Count, Seed, require_ranges


class Mixed(Candidates):
    """Mixed negative sampling (Yang et al., WWW 2020) with the inclusion probability of the two sources together.

    An item is missing only if neither source has it, so q = 1 - (1 - num_uniform / num_items) (1 - p)^Q, whichever source brought
    it. Exact for positives that are drawn with replacement, and nearly so for those of an epoch (`recsys.candidates.base`). Popular items
    come from the batch at no cost, rare ones from the catalogue: the default for most data.

    Args:
        item_count: [V] int64 training positives of each item, row 0 pads.
        seed: of the draws.
        num_uniform: items drawn per step; a smaller catalogue is taken whole.
    """

    catalogue: Tensor
    log_absence: Tensor
    log_not_drawn: Tensor

    def __init__(self, item_count: Tensor, seed: Seed, *, num_uniform: Count):
        super().__init__()
        require_ranges(Mixed, locals())
        self.seed = seed
        self.num_rows = len(item_count)
        self.register_buffer("catalogue", trained_items(item_count), persistent=False)
        self.num_uniform = min(num_uniform, len(self.catalogue))
        self.register_buffer("log_absence", log_absence(item_count), persistent=False)
        self.register_buffer("log_not_drawn", torch.tensor(-self.num_uniform / len(self.catalogue)).log1p(), persistent=False)

    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """Positives and drawn items; see `Candidates.sample`."""
        drawn = draw_uniform(self.num_uniform, self.catalogue, step_generator(self.seed, step, positives.device))
        items, positive_at = merge(self.num_rows, positives, drawn)
        log_missed = len(positives) * self.log_absence[items] + self.log_not_drawn
        return Sampled(items, without_padding(items, log_inclusion(log_missed)), positive_at)
