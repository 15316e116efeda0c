"""A linear item-item model in closed form: hard to beat on catalogues of any size it can be had for. V = num_items + 1 catalogue rows."""

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from recsys.baseline.base import SPEED, Baseline, Judge, TrainingEvents, choice_note, choose
from recsys.baseline.item_knn import cooccurrences, known_matrix, user_item_matrix
from recsys.machine import free_memory
from recsys.ranges import Positive, Positives

BYTES = 17
"""Memory of a fit for each entry of the item-item matrix: one float64, two float32 and a boolean."""


class EASE(Baseline):
    """Scores = known items x W, where W minimises |X - X W|^2 + l2 |W|^2 with a zero diagonal.

    With P = (X'X + l2 I)^-1: W_ij = -P_ij / P_jj. Steck, WWW 2019. The inverse takes about V^3 operations.

    Args:
        l2: strengths of the penalty, in users, larger for denser data; validation chooses, as far as there is time to try.
        seconds: of all fits together, estimated; a catalogue of which one fit takes longer is skipped.
    """

    name = "ease"

    def __init__(self, l2: Positives, seconds: Positive):
        self.l2 = l2
        self.seconds = seconds

    def skipped(self, events: TrainingEvents) -> str | None:
        """Catalogues for which there is neither the time nor the memory are left alone."""
        size = events.num_items + 1
        if self._fits(size) < 1:
            return f"the inverse of {events.num_items:,} items takes about {size**3 / SPEED:,.0f} s, more than seconds={self.seconds:g}"
        if BYTES * size**2 > free_memory():
            return f"{events.num_items:,} items take {BYTES * size**2 / 1e9:,.1f} GB, more than is free"
        return None

    def _fits(self, size: int) -> int:
        return int(self.seconds * SPEED / size**3)

    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        matrix = user_item_matrix(events)
        tried = self.l2[: max(1, self._fits(matrix.shape[1]) - 1)]  # the best of them may have to be fitted again
        chosen = choose(tried, lambda l2: self._solve(matrix, l2), lambda: judge(self))
        self.note = choice_note(l2=(chosen, tried))

    def _solve(self, matrix, l2: float) -> None:
        size = matrix.shape[1]
        gram = np.zeros((size, size), order="F")  # float64: the inverse of a badly conditioned matrix; Fortran order: LAPACK works in place
        for first, together in cooccurrences(matrix):
            gram[:, first : first + together.shape[0]] = together.toarray().T
        gram[np.diag_indices(size)] += l2
        factor, failed = lapack.dpotrf(gram, overwrite_a=True)
        assert not failed, "X'X + l2 I is positive definite for l2 > 0"
        inverse, _ = lapack.dpotri(factor, overwrite_c=True)  # upper triangle; zeros below, as dpotrf left them
        diagonal = inverse.diagonal().astype(np.float32)
        np.fill_diagonal(inverse, 0)
        weights = inverse.astype(np.float32, order="C")
        weights += weights.T
        self.weights = np.divide(weights, -diagonal, out=weights)  # [V, V], columns are targets

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        return torch.from_numpy(known_matrix(known, len(user), len(self.weights)) @ self.weights)
