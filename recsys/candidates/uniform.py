"""Items drawn uniformly from the training catalogue. Q queries, N candidates, V catalogue rows."""

import math

import torch
from torch import Tensor

from recsys.candidates.base import Candidates, Sampled, draw_uniform, merge, step_generator, trained_items, without_padding
from recsys.ranges import Count, Seed, require_ranges


class Uniform(Candidates):
    """`num` distinct items of the training catalogue, and the batch's positives.

    The positives are there whatever is drawn, so given the batch they have q = 1; any other item has q = num / num_items. Summed
    over candidates, f / q has the catalogue's sum as its expected value for every single batch: nothing is assumed about how
    positives arrive, so this suits batches of whole sequences too.

    Args:
        item_count: [V] int64 training positives of each item, row 0 pads.
        seed: of the draws.
        num: items drawn per step; a smaller catalogue is taken whole.
    """

    catalogue: Tensor

    def __init__(self, item_count: Tensor, seed: Seed, *, num: Count):
        super().__init__()
        require_ranges(Uniform, locals())
        self.seed = seed
        self.num_rows = len(item_count)
        self.register_buffer("catalogue", trained_items(item_count), persistent=False)
        self.num = min(num, len(self.catalogue))

    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """Drawn items and positives; see `Candidates.sample`."""
        drawn = draw_uniform(self.num, self.catalogue, step_generator(self.seed, step, positives.device))
        items, positive_at = merge(self.num_rows, positives, drawn)
        log_q = torch.full((len(items),), math.log(self.num / len(self.catalogue)), device=items.device)
        log_q[positive_at] = 0.0
        return Sampled(items, without_padding(items, log_q), positive_at)
