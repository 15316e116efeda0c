"""A linear item-item model in closed form: hard to beat while the catalogue is small. B users, V = num_items + 1 catalogue rows."""

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from recsys.baseline.base import Baseline, TrainingEvents
from recsys.baseline.item_knn import cooccurrences, known_matrix, user_item_matrix


class EASE(Baseline):
    """Scores = known items x W, where W minimises |X - X W|^2 + l2 |W|^2 with a zero diagonal.

    With P = (X'X + l2 I)^-1: W_ij = -P_ij / P_jj. Steck, WWW 2019.

    Args:
        l2: strength of the penalty, in users; larger for denser data.
        max_items: larger catalogues are skipped: time grows with V^3 and memory is about 17 bytes times V^2.
    """

    name = "ease"

    def __init__(self, l2: float, max_items: int):
        self.l2 = l2
        self.max_items = max_items

    def skipped(self, events: TrainingEvents) -> str | None:
        """Catalogues beyond `max_items` are left alone."""
        if events.num_items <= self.max_items:
            return None
        return f"the catalogue has {events.num_items:,} items, more than max_items={self.max_items:,}"

    def fit(self, events: TrainingEvents) -> None:
        size = events.num_items + 1
        gram = np.zeros((size, size), order="F")  # float64: the inverse of a badly conditioned matrix; Fortran order: LAPACK works in place
        for first, together in cooccurrences(user_item_matrix(events)):
            gram[:, first : first + together.shape[0]] = together.toarray().T
        gram[np.diag_indices(size)] += self.l2
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
