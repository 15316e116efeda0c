"""Items of the users who are most alike. B users, U = num_users + 1, V = num_items + 1 catalogue rows."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys.baseline.base import Baseline, Judge, TrainingEvents, choice_note, choose
from recsys.baseline.item_knn import keep_largest, known_matrix, user_item_matrix
from recsys.ranges import Counts

Similarity: TypeAlias = Callable[[sparse.csr_matrix, sparse.csr_matrix], np.ndarray]
"""[B, U] of ratings [B, V] and [U, V]."""


class UserKNN(Baseline):
    """What a user's nearest neighbours chose; where there are ratings, what they would make this user rate.

    Without ratings, an item's score is the sum of the similarities of the neighbours who chose it, and the similarity of two users is the
    cosine of their sets: |both| / sqrt(|one| |other|). With ratings, it is the user's mean, plus the mean of what the neighbours rated the
    item above their own means over the items that both rated, weighted by Pearson's correlation over these items (Resnick et al., CSCW
    1994), or by the cosine of rating vectors; a negative correlation counts, too. An item that no neighbour rated has the user's mean.

    Args:
        neighbours: numbers of users, those of the largest similarity (without its sign) first, ties by lower index; validation chooses.
    """

    name = "user_knn"

    def __init__(self, neighbours: Counts):
        self.neighbours = neighbours

    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        self.chosen = user_item_matrix(events)
        self.ratings = None if events.rating is None else Ratings(events)
        self.number = self.neighbours[0]
        self.note = ""
        if self.ratings is not None:
            measures = [pearson, cosine]
            measure = choose(measures, self.ratings.compare_by, lambda: judge(self))
            self.note = f"similarity={measure.__name__}, "
        number = choose(self.neighbours, self._keep, lambda: judge(self))
        self.note += choice_note(neighbours=(number, self.neighbours))

    def _keep(self, number: int) -> None:
        self.number = number

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        if self.ratings is not None:
            return torch.from_numpy(self.ratings.predicted(user.numpy(), self.number))
        sets = known_matrix(known, len(user), self.chosen.shape[1])
        together = (sets @ self.chosen.T).tocsr()  # [B, U]
        sizes = np.sqrt(np.diff(sets.indptr)), np.sqrt(np.diff(self.chosen.indptr))
        row = np.repeat(np.arange(len(user)), np.diff(together.indptr))
        together.data = (together.data / (sizes[0][row] * sizes[1][together.indices])).astype(np.float32)
        # a user's own training row is no neighbour
        together.data[together.indices == user.numpy()[row]] = 0
        keep_largest(together, self.number)
        return torch.from_numpy((together @ self.chosen).toarray())


class Ratings:
    """Ratings of all users, and predictions from those of the most similar.

    Attributes:
        values: [U, V] ratings, the last one of a pair; a pair without one has no entry.
        pairs: [U, V] 1 for each entry of `values`.
        mean: [U] mean of a user's ratings; of all where there are none.
    """

    def __init__(self, events: TrainingEvents):
        assert events.rating is not None
        rated = ~events.rating.isnan()
        pair = (events.user * (events.num_items + 1) + events.item)[rated].numpy()
        last = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
        values = events.rating[rated].double().numpy()[last]
        shape = (events.num_users + 1, events.num_items + 1)
        row, column = np.divmod(pair[last], shape[1])
        self.values = sparse.csr_matrix((values, (row, column)), shape=shape)
        self.pairs = marks(self.values)
        number = np.bincount(row, minlength=shape[0])
        overall = values.mean() if len(values) else 0.0
        self.mean = np.divide(np.bincount(row, values, shape[0]), number, out=np.full(shape[0], overall), where=number > 0)
        self.compare_by(pearson)

    def compare_by(self, similarity: Similarity) -> None:
        """Find neighbours by another similarity."""
        self.similarity = similarity

    def predicted(self, user: np.ndarray, neighbours: int) -> np.ndarray:
        """[B, V] float32 ratings of every item by these users."""
        own = self.values[user]
        similarity = self.similarity(own, self.values)
        similarity[np.arange(len(user)), user] = 0  # nobody is a neighbour of their own
        nearest = sparse.csr_matrix(np.abs(similarity))
        keep_largest(nearest, neighbours)
        alike = nearest.multiply(np.sign(similarity)).tocsr()
        common = (marks(own) @ self.pairs.T).toarray()
        mean = np.divide((marks(own) @ self.values.T).toarray(), common, out=np.zeros(common.shape), where=common > 0)
        above = (alike @ self.values - alike.multiply(mean).tocsr() @ self.pairs).toarray()
        weight = (nearest @ self.pairs).toarray()
        deviation = np.divide(above, weight, out=np.zeros(weight.shape), where=weight > 0)
        return (self.mean[user, None] + deviation).astype(np.float32)


def marks(ratings: sparse.csr_matrix) -> sparse.csr_matrix:
    """1 for each entry."""
    return sparse.csr_matrix((np.ones_like(ratings.data), ratings.indices, ratings.indptr), shape=ratings.shape)


def pearson(one: sparse.csr_matrix, others: sparse.csr_matrix) -> np.ndarray:
    """[B, U] correlation of ratings [B, V] and [U, V] over the items that both rated; 0 where there are fewer than two, or no spread."""
    number = (marks(one) @ marks(others).T).toarray()
    sums, other_sums = (one @ marks(others).T).toarray(), (marks(one) @ others.T).toarray()
    squares = (one.multiply(one).tocsr() @ marks(others).T).toarray()
    other_squares = (marks(one) @ others.multiply(others).tocsr().T).toarray()
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = (one @ others.T).toarray() - sums * other_sums / number
        spread = np.sqrt(np.maximum(squares - sums**2 / number, 0) * np.maximum(other_squares - other_sums**2 / number, 0))
        # rounding leaves some 1e-8 of a spread that is 0
        return np.where((number > 1) & (spread > 1e-6), covariance / spread, 0.0)


def cosine(one: sparse.csr_matrix, others: sparse.csr_matrix) -> np.ndarray:
    """[B, U] cosine of ratings [B, V] and [U, V], what was not rated counting 0."""
    norms = [np.sqrt(np.asarray(side.multiply(side).sum(1)).ravel()) for side in (one, others)]
    norm = norms[0][:, None] * norms[1]
    return np.divide((one @ others.T).toarray(), norm, out=np.zeros(norm.shape), where=norm > 0)
