"""Items often chosen together with what the user has. B users, V = num_items + 1 catalogue rows, E known pairs."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys.baseline.base import Baseline, Judge, TrainingEvents, choice_note, choose
from recsys.ranges import Counts, NonNegatives

CHUNK_ITEMS = 512
"""Rows of the item-item matrix made at once."""


class ItemKNN(Baseline):
    """Sum of the similarities of an item to the user's known items, each with its nearest neighbours only.

    sim(i, j) = |users of i and j| / (sqrt(|users of i| |users of j|) + shrink). Deshpande and Karypis, TOIS 2004; the shrinkage term,
    which keeps pairs with little evidence from looking close, is from Bell and Koren, ICDM 2007.

    Args:
        neighbours: numbers kept per item, the most similar first, ties by lower index; validation chooses.
        shrink: in users, 0 = plain cosine; validation chooses, with the best number of neighbours.
    """

    name = "item_knn"

    def __init__(self, neighbours: Counts, shrink: NonNegatives):
        self.neighbours = neighbours
        self.shrink = shrink

    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        matrix = user_item_matrix(events)
        norm = np.sqrt(np.asarray(matrix.sum(0)).ravel())

        def keep(neighbours: int, shrink: float) -> None:
            nearest = [_nearest(first, together, norm, neighbours, shrink) for first, together in cooccurrences(matrix)]
            self.similarity = sparse.vstack(nearest, format="csr")

        neighbours = choose(self.neighbours, lambda number: keep(number, self.shrink[0]), lambda: judge(self))
        shrink = choose(self.shrink, lambda users: keep(neighbours, users), lambda: judge(self))
        self.note = choice_note(neighbours=(neighbours, self.neighbours), shrink=(shrink, self.shrink))

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        return torch.from_numpy((known_matrix(known, len(user), self.similarity.shape[0]) @ self.similarity).toarray())


def user_item_matrix(events: TrainingEvents) -> sparse.csr_matrix:
    """[num_users + 1, V] float32, 1 where the user chose the item at least once."""
    shape = (events.num_users + 1, events.num_items + 1)
    matrix = sparse.csr_matrix((np.ones(len(events.user), np.float32), (events.user.numpy(), events.item.numpy())), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def known_matrix(known: Tensor, num_rows: int, num_columns: int) -> sparse.csr_matrix:
    """[B, V] float32, 1 for each of the [2, E] known pairs."""
    row, item = known.cpu().numpy()
    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, item)), shape=(num_rows, num_columns))


def cooccurrences(matrix: sparse.csr_matrix) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """(first item, [C, V] float32 users who chose both items), chunk by chunk."""
    by_item = matrix.T.tocsr()
    for first in range(0, by_item.shape[0], CHUNK_ITEMS):
        yield first, by_item[first : first + CHUNK_ITEMS] @ matrix


def _nearest(first: int, together: sparse.csr_matrix, norm: np.ndarray, neighbours: int, shrink: float) -> sparse.csr_matrix:
    """[C, V] similarities of items first.. to their nearest neighbours."""
    counts = np.diff(together.indptr)
    item = np.repeat(np.arange(first, first + len(counts)), counts)
    values = (together.data / (norm[item] * norm[together.indices] + shrink)).astype(np.float32)
    values[item == together.indices] = 0  # an item is no neighbour of its own
    nearest = sparse.csr_matrix((values, together.indices, together.indptr), shape=together.shape)
    keep_largest(nearest, neighbours)
    return nearest


def keep_largest(rows: sparse.csr_matrix, count: int) -> None:
    """Remove all but the `count` largest values of each row in place, ties by lower column."""
    for start, stop in zip(rows.indptr, rows.indptr[1:]):
        _zero_rest(rows.data[start:stop], rows.indices[start:stop], count)
    rows.eliminate_zeros()


def _zero_rest(values: np.ndarray, columns: np.ndarray, count: int) -> None:
    if len(values) > count:
        threshold = np.partition(values, -count)[-count]
        larger = values > threshold
        tied = np.sort(columns[values == threshold])[: count - larger.sum()]
        values[~larger & ((values != threshold) | (columns > tied[-1]))] = 0
