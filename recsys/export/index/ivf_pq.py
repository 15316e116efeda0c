"""Cells of vectors, compressed; what is found is scored again exactly. U distinct vectors, D dim."""

import math
from importlib import import_module
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from recsys.errors import ConfigError, Fault
from recsys.export.index.base import SearchIndex
from recsys.ranges import Count, PositiveShare, Rising, Seed, require_ranges

POINTS, ROUNDS = 64, 10
"""Vectors at most per centre that k-means looks at, and how often: faiss's 256 and 25 take 8 times as long and found nothing more."""


class IVFPQ(SearchIndex):
    """Inverted lists with product quantisation: Jégou, Douze & Schmid, TPAMI 2011. Quick to build; slower than `HNSW` at high recall.

    Vectors lie in nlist cells by k-means, each as a code of m bytes (for nbits 8) of what it differs from its cell's centre. A search
    looks into the nprobe cells nearest to the query, takes the best `rescored` x K by code, and orders these by their exact inner product
    in float32, for which the index holds the vectors too.

    Args:
        nlist: cells; None for 4 sqrt(U).
        m: parts that a vector is cut into, a divisor of D; None for D / 2.
        nbits: of a part's code, 4 to 12; at least 2^nbits distinct vectors are needed.
        rescored: of the candidates by code, times K, that are scored exactly.
        nprobe: cells that a search looks into.
        k, min_recall, seed: see `SearchIndex`.
    """

    kind = "ivf_pq"
    setting = "nprobe"

    def __init__(
        self,
        nlist: Count | None,
        m: Count | None,
        nbits: Annotated[int, Interval(ge=4, le=12)],
        rescored: Count,
        nprobe: Rising,
        k: Count,
        min_recall: PositiveShare,
        seed: Seed,
    ):
        require_ranges(IVFPQ, locals())
        super().__init__(nprobe, k, min_recall, seed)
        self.nlist, self.m, self.nbits, self.rescored = nlist, m, nbits, rescored

    def faiss_index(self, distinct: np.ndarray) -> Any:
        """See `SearchIndex.faiss_index`."""
        faiss: Any = import_module("faiss")  # an extra, whose types lack parts that it has

        number, dim = distinct.shape
        nlist = self.nlist or math.ceil(4 * math.sqrt(number))
        m = self.m or (dim // 2 if dim % 2 == 0 else dim)
        if faults := _faults(number, dim, nlist, m, self.nbits):
            raise ConfigError(*faults)
        cells = faiss.IndexFlatIP(dim)
        codes = faiss.IndexIVFPQ(cells, dim, nlist, m, self.nbits, faiss.METRIC_INNER_PRODUCT)
        for training in (codes.cp, codes.pq.cp):
            training.seed = self.seed
            training.niter, training.max_points_per_centroid = ROUNDS, POINTS
            training.min_points_per_centroid = 1  # below 39 faiss would print a warning; recall is measured here
        index = faiss.IndexRefineFlat(codes)
        index.k_factor = self.rescored
        index.train(np.ascontiguousarray(distinct))
        index.add(np.ascontiguousarray(distinct))
        for part in (cells, codes):  # Python would free them with these names
            part.this.disown()
        codes.own_fields = index.own_fields = True
        return index


def _faults(number: int, dim: int, nlist: int, m: int, nbits: int) -> list[Fault]:
    faults = []
    if dim % m:
        faults.append(Fault(f"{m} parts do not divide {dim} dimensions", "index.m", f"choose a divisor of {dim}, or null for half of it"))
    if number < (needed := max(nlist, 2**nbits)):
        what = f"the catalogue has {number:,} distinct vectors; {nlist:,} cells and codes of {nbits} bits need {needed:,} to learn from"
        remedy = "leave the index out (index=null: exact search of so few is fast), use index=hnsw, or lower index.nlist and index.nbits"
        faults.append(Fault(what, "index.nlist, index.nbits", remedy))
    return faults
