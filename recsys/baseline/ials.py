"""Matrix factorisation by alternating least squares: every unseen pair counts a little. V = num_items + 1 catalogue rows, D dimensions."""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys.baseline.base import SPEED, Baseline, Judge, TrainingEvents, choice_note, choose
from recsys.baseline.item_knn import known_matrix, user_item_matrix
from recsys.ranges import Count, NonNegatives, Positive, Positives, Seed

ENTRIES = 2**18
"""Vectors that are gathered at once, padding included."""


class IALS(Baseline):
    """Users w and items h that minimise, with S the chosen pairs and all pairs in the second sum,

        sum_S (w.h - 1)^2 + unobserved * sum (w.h)^2 + sum_u l2_u |w_u|^2 + sum_i l2_i |h_i|^2,   l2_u = l2 (|S_u| + unobserved * V),

    one side after the other in closed form. Hu, Koren and Volinsky, ICDM 2008, with the frequency-scaled penalty of Rendle et al., RecSys
    2022. A user's vector is solved anew from the items that are known when scores are asked for.

    Args:
        dim: D.
        sweeps: over both sides.
        unobserved: weights of a pair that was not chosen; validation chooses.
        l2: strengths of the penalty; validation chooses, with the best weight.
        seconds: of all fits together, estimated; settings beyond it are not tried, and data for which one fit takes longer are skipped.
        seed: of the vectors to begin with.
    """

    name = "ials"

    def __init__(self, dim: Count, sweeps: Count, *, unobserved: NonNegatives, l2: Positives, seconds: Positive, seed: Seed):
        self.dim = dim
        self.sweeps = sweeps
        self.unobserved = unobserved
        self.l2 = l2
        self.seconds = seconds
        self.seed = seed

    def skipped(self, events: TrainingEvents) -> str | None:
        """Data for which there is no time are left alone."""
        if self._fits(events) >= 1:
            return None
        return f"a fit of {len(events.user):,} events takes longer than seconds={self.seconds:g}"

    def _fits(self, events: TrainingEvents) -> int:
        pairs, vectors = 4 * len(events.user) * self.dim**2, (events.num_users + events.num_items) * self.dim**3
        return int(self.seconds * SPEED / max(1, self.sweeps * (pairs + vectors)))

    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        matrix = user_item_matrix(events)
        room = max(1, self._fits(events) - 2)  # the best of either choice may have to be fitted again
        weights = self.unobserved[:room]
        penalties = self.l2[: max(1, room - len(weights))]
        first = penalties[0]
        unobserved = choose(weights, lambda weight: self._alternate(matrix, weight, first), lambda: judge(self))
        l2 = choose(penalties, lambda penalty: self._alternate(matrix, unobserved, penalty), lambda: judge(self))
        self.note = choice_note(unobserved=(unobserved, weights), l2=(l2, penalties))

    def _alternate(self, matrix: sparse.csr_matrix, unobserved: float, l2: float) -> None:
        self.rule = (unobserved, l2)
        by_item = matrix.T.tocsr()
        generator = torch.Generator().manual_seed(self.seed)
        self.items = torch.randn(matrix.shape[1], self.dim, generator=generator) * 0.1 / self.dim**0.5
        self.items[0] = 0
        for _ in range(self.sweeps):
            users = least_squares(matrix, self.items, unobserved=unobserved, l2=l2)
            self.items = least_squares(by_item, users, unobserved=unobserved, l2=l2)

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        unobserved, l2 = self.rule
        users = least_squares(known_matrix(known, len(user), len(self.items)), self.items, unobserved=unobserved, l2=l2)
        return users @ self.items.T


def least_squares(chosen: sparse.csr_matrix, others: Tensor, *, unobserved: float, l2: float) -> Tensor:
    """Vectors [R, D] float32 of the rows of one side, given those of the other; zeros for a row that chose nothing.

    Args:
        chosen: [R, C], an entry for each pair.
        others: [C, D] float32, of which row 0 pads and is zero.
    """
    rows, dim = chosen.shape[0], others.shape[1]
    lengths = np.diff(chosen.indptr)
    gram = unobserved * (others.T @ others)
    vectors = torch.zeros(rows, dim)
    order = np.argsort(lengths, kind="stable")
    order = order[np.searchsorted(lengths[order], 1) :]
    start = 0
    while start < len(order):
        # rows of nearly one length share a block, so that little of it is padding
        ends = (np.arange(1, len(order) - start + 1) * lengths[order[start:]]).searchsorted(ENTRIES, side="right")
        block = order[start : start + max(1, int(ends))]
        start += len(block)
        width = int(lengths[block].max())
        at = chosen.indptr[block][:, None] + np.arange(width)
        index = np.where(np.arange(width) < lengths[block][:, None], chosen.indices[np.minimum(at, len(chosen.indices) - 1)], 0)
        gathered = others[torch.from_numpy(index.astype(np.int64))]  # [b, width, D]
        penalty = l2 * (torch.from_numpy(lengths[block].astype(np.float32)) + unobserved * (len(others) - 1))
        left = torch.baddbmm(gram, gathered.mT, gathered)
        left.diagonal(dim1=1, dim2=2).add_(penalty[:, None])
        solved = torch.cholesky_solve(gathered.sum(1)[:, :, None], torch.linalg.cholesky(left))
        vectors[torch.from_numpy(block)] = solved[:, :, 0]
    return vectors
