"""Items the current model ranks high for this batch, and uniformly drawn ones. Q queries, N candidates, V catalogue rows, D dim."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.candidates.base import Candidates, Sampled, draw_uniform, merge, step_generator, trained_items, without_padding
from recsys.ranges import Count, Seed, require_ranges

BLOCK = 64
"""Items whose largest score is looked at first; the k best items lie in the k blocks with the largest maxima."""
CPU_CHUNK_SCORES = 1 << 21
"""Scores held at once while mining on a CPU: 8 MiB, so that they stay in a cache."""
DEVICE_CHUNK_SCORES = 1 << 28
"""The same elsewhere: 1 GiB, so that one product reads the whole catalogue for many queries."""


class Hard(Candidates):
    """Mined negatives: for some queries of the batch, the items of training with the highest score beside their positive.

    Given the batch and the model, the mined items and the positives are there for certain: q = 1. Any other item has
    q = num_uniform / num_items, as in `uniform`. The estimate of the catalogue's sum stays unbiased, and loses its variance where
    the large terms are. Item vectors are those of the last `refresh`; they are part of the state dict.

    Args:
        item_count: [V] int64 training positives of each item, row 0 pads.
        seed: of the draws.
        num_uniform: items drawn per step; a smaller catalogue is taken whole.
        num_queries: queries of a batch to mine for, drawn anew each step; all if the batch has fewer.
        num_hard: items mined per query.
        refresh_every: steps between two looks at the catalogue's vectors.
    """

    trained: Tensor
    never: Tensor
    catalogue: Tensor

    def __init__(self, item_count: Tensor, seed: Seed, *, num_uniform: Count, num_queries: Count, num_hard: Count, refresh_every: Count):
        super().__init__()
        require_ranges(Hard, locals())
        self.seed = seed
        self.num_rows = len(item_count)
        self.register_buffer("trained", trained_items(item_count), persistent=False)
        self.num_uniform = min(num_uniform, len(self.trained))
        self.num_queries = num_queries
        self.num_hard = min(num_hard, len(self.trained) - 1)  # - 1: the query's positive is no hard negative
        self.refresh_every = refresh_every
        self.register_buffer("never", F.pad(item_count == 0, (0, -len(item_count) % BLOCK), value=True), persistent=False)
        self.register_buffer("catalogue", torch.empty(0, 0), persistent=False)

    def refresh(self, catalogue: Tensor) -> None:
        """Keeps a copy of the item vectors [V, D] to mine in, filled up to whole blocks."""
        self.catalogue = F.pad(catalogue.detach(), (0, 0, 0, -len(catalogue) % BLOCK))

    def get_extra_state(self) -> Tensor:
        """The mined catalogue. Extra state, not a buffer: its shape is unknown until the first refresh."""
        return self.catalogue

    def set_extra_state(self, state: Tensor) -> None:
        """Takes the mined catalogue back."""
        self.catalogue = state.to(self.catalogue.device)

    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """Mined items, drawn items and positives; see `Candidates.sample`."""
        assert self.catalogue.numel(), "refresh() comes before the first sample()"
        generator = step_generator(self.seed, step, positives.device)
        drawn = draw_uniform(self.num_uniform, self.trained, generator)
        chosen = torch.randperm(len(positives), generator=generator, device=positives.device)[: self.num_queries]
        chunk_scores = CPU_CHUNK_SCORES if self.catalogue.device.type == "cpu" else DEVICE_CHUNK_SCORES
        rows = max(1, chunk_scores // len(self.catalogue))
        parts = zip(queries[chosen].split(rows), positives[chosen].split(rows))
        mined = torch.cat([self._mine(*part) for part in parts])
        items, positive_at = merge(self.num_rows, positives, drawn, mined)
        log_q = torch.full((self.num_rows,), math.log(self.num_uniform / len(self.trained)), device=items.device)
        log_q[mined] = 0.0
        log_q[positives] = 0.0
        return Sampled(items, without_padding(items, log_q[items]), positive_at)

    def _mine(self, queries: Tensor, positives: Tensor) -> Tensor:
        """[S * num_hard] items with the highest score of each of S queries, its positive left out; duplicates stay."""
        scores = queries.to(self.catalogue.dtype) @ self.catalogue.T
        scores.masked_fill_(self.never, -torch.inf)
        scores.scatter_(1, positives[:, None], -torch.inf)
        scores = scores.view(len(queries), -1, BLOCK)
        blocks = scores.amax(dim=2).topk(min(self.num_hard, scores.shape[1]), dim=1).indices  # [S, blocks]
        best = scores.gather(1, blocks[:, :, None].expand(-1, -1, BLOCK)).flatten(1)  # [S, blocks * BLOCK]
        place = best.topk(self.num_hard, dim=1).indices  # [S, num_hard]
        return (blocks.gather(1, place // BLOCK) * BLOCK + place % BLOCK).flatten()
