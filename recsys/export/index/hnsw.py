"""A graph from each vector to its neighbours, searched greedily. U distinct vectors, D dim, L levels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recsys.export.index.base import SearchIndex

if TYPE_CHECKING:
    import faiss

SAME_LENGTH = 1e-3
"""Relative; vectors whose lengths differ by less are treated as directions."""


class HNSW(SearchIndex):
    """Hierarchical navigable small worlds: Malkov & Yashunin, TPAMI 2020. Fast up to millions of items; holds vectors and 2 m links each.

    faiss links each vector to those with the largest inner products. With vectors of one length that is the graph of the cosine. With
    others the long ones attract all links, and short ones, however near a query, are found by none: recall ends below 1. So each
    vector's links are shared between two graphs, one by inner product, one by cosine, as in ip-NSW+ (Liu et al., AAAI 2020): with lengths
    that deviate by a factor of 1.2 recall@100 at ef_search 400 of 30,000 vectors rises from .978 to .997.

    Scores are the inner products in float32.

    Args:
        m: links of a vector on the upper levels, even; the lowest has twice as many.
        ef_construction: candidates for the links of a new vector.
        ef_search: candidates of a search; never fewer than the answers asked for.
        k, min_recall, seed: see `SearchIndex`.
    """

    kind = "hnsw"
    setting = "ef_search"

    def __init__(self, m: int, ef_construction: int, ef_search: Sequence[int], k: int, min_recall: float, seed: int):
        super().__init__(ef_search, k, min_recall, seed)
        if m < 4 or m % 2 or ef_construction < m:
            raise ValueError(f"m needs an even number of at least 4, and ef_construction at least m, got {m} and {ef_construction}")
        self.m, self.ef_construction = m, ef_construction

    def learned(self, distinct: np.ndarray) -> "faiss.IndexHNSWFlat":
        """See `SearchIndex.learned`."""
        lengths = np.linalg.norm(distinct, axis=1, keepdims=True)
        if np.ptp(lengths) <= SAME_LENGTH * lengths.max():
            return self._graph(distinct, self.m)
        half = self._graph(distinct, self.m // 2)
        directions = self._graph(distinct / np.where(lengths > 0, lengths, 1), self.m // 2)
        return _joined(half, directions, distinct, self.m)

    def _graph(self, vectors: np.ndarray, m: int) -> "faiss.IndexHNSWFlat":
        import faiss  # an extra

        index = faiss.IndexHNSWFlat(vectors.shape[1], m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.rng = faiss.RandomGenerator(self.seed)
        index.hnsw.efConstruction = self.ef_construction
        index.add(np.ascontiguousarray(vectors, np.float32))
        return index


def _joined(one: "faiss.IndexHNSWFlat", other: "faiss.IndexHNSWFlat", vectors: np.ndarray, m: int) -> "faiss.IndexHNSWFlat":
    """The graph of m with the links of two of m / 2, whose nodes have the same levels as both were drawn with one seed.

    faiss keeps a node's links in one row: 2 m places of level 0, then m of each further level, each level filled up with -1.
    """
    import faiss  # an extra

    array, halves = faiss.vector_to_array, (one.hnsw, other.hnsw)
    levels = array(halves[0].levels)  # [U], 1 is the lowest alone
    assert (levels == array(halves[1].levels)).all()
    links = [array(half.neighbors) for half in halves]
    begin = array(halves[0].offsets).astype(np.int64)  # [U + 1]; of the joined graph all are twice as large
    neighbors = np.full(2 * begin[-1], -1, np.int32)
    for level in range(levels.max()):
        places = m if level == 0 else m // 2  # of one half
        nodes = begin[:-1][levels > level][:, None] + (0 if level == 0 else (level + 1) * m // 2)
        both = np.concatenate([half[nodes + np.arange(places)] for half in links], 1)
        neighbors[2 * nodes + np.arange(2 * places)] = _distinct(both)
    joined = faiss.IndexHNSWFlat(vectors.shape[1], m, faiss.METRIC_INNER_PRODUCT)
    joined.storage.add(np.ascontiguousarray(vectors))
    joined.ntotal = len(vectors)
    joined.hnsw.entry_point, joined.hnsw.max_level = halves[0].entry_point, halves[0].max_level
    faiss.copy_array_to_vector(levels, joined.hnsw.levels)
    faiss.copy_array_to_vector((2 * begin).astype(np.uint64), joined.hnsw.offsets)
    faiss.copy_array_to_vector(neighbors, joined.hnsw.neighbors)
    return joined


def _distinct(links: np.ndarray) -> np.ndarray:
    """Each row without repetitions, in any order, filled up with -1 at its end."""
    rows = -np.sort(-links, axis=1)  # falling, so -1 comes last
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
    return -np.sort(-rows, axis=1)
