"""Approximate search in a bundle's index.faiss, with numpy and faiss alone. B rows, K answers, U distinct vectors."""

from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np

from recsys.serve.manifest import BundleError

PARAMETERS = {"ef_search": "efSearch", "nprobe": "nprobe"}
"""Settings of a search, and what faiss calls them."""


class Index:
    """Finds the items whose vectors have the largest inner products, nearly all of them.

    Scores are the float32 inner products with the vectors that the index was built of, of either kind (`hnsw`, and `ivf_pq`, which scores
    what it finds again): only the order of summation differs from the product in retriever.onnx.

    Args:
        content: of index.faiss.
        parameters: {setting: value}, as manifest["index"]["chosen"]; what is left out stays as faiss has it.
        threads: that one search may use; faiss shares rows among them, so one row takes one.

    Raises:
        BundleError: faiss is not installed, or does not read the content.
        ValueError: the index has no such setting.
    """

    def __init__(self, content: bytes, parameters: Mapping[str, int], threads: int = 1):
        try:
            faiss: Any = import_module("faiss")  # an extra, whose types lack parts that it has
        except ModuleNotFoundError as error:
            raise BundleError("searching index.faiss needs faiss, which is not installed; pip install faiss-cpu") from error
        file = BytesIO(content)
        try:
            self.index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
            self.positions, self.starts = (np.load(file, allow_pickle=False) for _ in range(2))
        except (RuntimeError, ValueError, EOFError) as error:
            raise BundleError(f"index.faiss is not an index that faiss {faiss.__version__} reads: {error}; export the run again") from error
        for name, value in parameters.items():
            self._set(name, value)
        self.threads = threads
        self.set_threads = faiss.omp_set_num_threads

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best found, by score descending, then catalogue position ascending.

        Args:
            vectors: [B, D] float32.
            k: answers per row, at least 1.
        Returns:
            [B, K] float32 scores, and [B, K] int64 catalogue positions; -inf and -1 where fewer were found.
        """
        self.set_threads(self.threads)  # here: OpenMP keeps the number for each thread that calls
        scores, numbers = self.index.search(np.ascontiguousarray(vectors, np.float32), min(k, self.index.ntotal))
        best = np.full((len(vectors), k), -np.inf, np.float32)
        at = np.full((len(vectors), k), -1, np.int64)
        for row, (row_scores, row_numbers) in enumerate(zip(scores, numbers)):
            found, items = self._items(row_scores, row_numbers, k)
            best[row, : len(items)], at[row, : len(items)] = found, items
        return best, at

    def _items(self, scores: np.ndarray, numbers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The scores and positions of the first k items of these distinct vectors; -1 is none."""
        scores, numbers = scores[numbers >= 0], numbers[numbers >= 0]
        sizes = np.minimum(self.starts[numbers + 1] - self.starts[numbers], k)
        ends = sizes.cumsum()
        within = np.arange(sizes.sum()) - np.repeat(ends - sizes, sizes)
        items = self.positions[np.repeat(self.starts[numbers], sizes) + within]
        scores = np.repeat(scores, sizes)
        order = np.lexsort((items, -scores))[:k]
        return scores[order], items[order]

    def _set(self, name: str, value: int) -> None:
        import faiss  # an extra

        try:
            faiss.ParameterSpace().set_index_parameter(self.index, PARAMETERS[name], value)
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"got a parameter {name!r}; this index ({type(self.index).__name__}) has no such setting") from error
