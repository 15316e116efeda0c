"""The whole training catalogue competes. Q queries, N candidates, V catalogue rows."""

import torch
from torch import Tensor

from recsys.candidates.base import Candidates, Sampled, trained_items


class Full(Candidates):
    """Every item of training, always: nothing is estimated. Affordable to some 100,000 items; the softmax loss never forms [Q, N] at once.

    Args:
        item_count: [V] int64 training positives of each item, row 0 pads.
        seed: not read; nothing is drawn.
    """

    items: Tensor
    log_q: Tensor

    def __init__(self, item_count: Tensor, seed: int):
        super().__init__()
        self.register_buffer("items", trained_items(item_count), persistent=False)
        self.register_buffer("log_q", torch.zeros(len(self.items)), persistent=False)

    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """All items of training; see `Candidates.sample`."""
        return Sampled(self.items, self.log_q, torch.searchsorted(self.items, positives))
