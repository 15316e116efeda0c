"""A graph from each vector to its neighbours, searched greedily. U distinct vectors, D dim, L levels."""

from importlib import import_module
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Predicate

from recsys.errors import ArgumentError, Fault
from recsys.export.index.base import SearchIndex
from recsys.ranges import Count, PositiveShare, Rising, Seed, even, require_ranges


class HNSW(SearchIndex):
    """Hierarchical navigable small worlds: Malkov & Yashunin, TPAMI 2020. Fast up to millions of items; holds vectors and 2 m links each.

    faiss links each vector to those with the largest inner products. With vectors of one length that is the graph of the cosine. With
    others the long ones attract all links, and short ones, however near a query, are found by none: recall ends below 1. With lengths
    that deviate by a factor of 1.2 it is .978 (recall@100 at ef_search 400 of 30,000 vectors). The curve measures it, and the gate decides.

    Scores are the inner products in float32.

    Args:
        m: links of a vector on the upper levels, even; the lowest has twice as many.
        ef_construction: candidates for the links of a new vector.
        ef_search: candidates of a search; never fewer than the answers asked for.
        k, min_recall, seed: see `SearchIndex`.
    """

    kind = "hnsw"
    setting = "ef_search"
    advice = "; where item vectors are of unequal length, choose index=ivf_pq, or train with model.normalize=true"

    def __init__(
        self,
        m: Annotated[int, Ge(4), Predicate(even)],
        ef_construction: Count,
        ef_search: Rising,
        k: Count,
        min_recall: PositiveShare,
        seed: Seed,
    ):
        require_ranges(HNSW, locals())
        super().__init__(ef_search, k, min_recall, seed)
        if ef_construction < m:
            raise ArgumentError(Fault(f"ef_construction is {ef_construction}", "ef_construction", f"choose m={m} or more"))
        self.m, self.ef_construction = m, ef_construction

    def faiss_index(self, distinct: np.ndarray) -> Any:
        """See `SearchIndex.faiss_index`."""
        faiss: Any = import_module("faiss")  # an extra, whose types lack parts that it has
        index = faiss.IndexHNSWFlat(distinct.shape[1], self.m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.rng = faiss.RandomGenerator(self.seed)
        index.hnsw.efConstruction = self.ef_construction
        index.add(np.ascontiguousarray(distinct, np.float32))
        return index
