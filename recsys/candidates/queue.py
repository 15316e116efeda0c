"""The positives of this batch and of earlier ones. Q queries, N candidates, S size of the queue, V catalogue rows."""

import torch
from torch import Tensor

from recsys.candidates.base import Candidates, Sampled, log_absence, log_inclusion, merge, without_padding
from recsys.ranges import Count, Seed, require_ranges


class Queue(Candidates):
    """In-batch negatives of a larger batch than fits: the last `size` positives of earlier steps stay candidates.

    The queue holds items, not vectors (unlike Wang et al., CVPR 2020): they are encoded anew, so no vector is stale and gradients
    reach them. With s items in the queue, q = 1 - (1 - p)^(Q + s).

    The queue is part of the state dict. `sample` moves it on, so call it once per step.

    Args:
        item_count: [V] int64 training positives of each item, row 0 pads.
        seed: not read; nothing is drawn.
        size: S, positives kept.
    """

    log_absence: Tensor
    queue: Tensor

    def __init__(self, item_count: Tensor, seed: Seed, *, size: Count):
        super().__init__()
        require_ranges(Queue, locals())
        self.register_buffer("log_absence", log_absence(item_count, at_least=1), persistent=False)
        self.register_buffer("queue", torch.zeros(size, dtype=torch.int64))  # 0 = empty place; newest last

    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """Distinct items of the batch and the queue; see `Candidates.sample`."""
        items, positive_at = merge(len(self.log_absence), positives, self.queue)
        draws = len(positives) + (self.queue > 0).sum()
        self.queue.copy_(torch.cat([self.queue, positives])[len(positives) :])
        return Sampled(items, without_padding(items, log_inclusion(draws * self.log_absence[items])), positive_at)
