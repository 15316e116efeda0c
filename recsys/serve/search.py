"""Ways to find the best items of a catalogue. B rows, E excluded ids, K answers, D dim, V catalogue rows, U distinct vectors."""

from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np

from recsys.serve.graph import load_graph
from recsys.serve.manifest import BundleError

PARAMETERS = {"ef_search": "efSearch", "nprobe": "nprobe"}
"""Settings of an index, and what faiss calls them."""


class ExactSearch:
    """The whole catalogue, inside retriever.onnx."""

    FILES = ("retriever.onnx",)

    def __init__(self, manifest: dict, files: Mapping[str, bytes], threads: int):
        self.graph = load_graph("retriever.onnx", files, threads)

    def find(self, feed: Mapping[str, np.ndarray], exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best items of each row, by score descending, then in catalogue order.

        Args:
            feed: {column: [B, ...]} checked user features.
            exclude: [B, E] raw ids, padded with the missing value.
            k: at most the catalogue's size.
        Returns:
            [B, K] raw ids and [B, K] scores; -inf where there are fewer.
        """
        items, scores = self.graph.run(["items", "scores"], {**feed, "exclude": exclude, "k": np.array([k], np.int64)})
        return items, scores


class IndexSearch:
    """The likely best part of the catalogue: user_tower.onnx and the bundle's index. It may find fewer than K."""

    FILES = ("user_tower.onnx", "index.faiss", "index_ids.npy")

    def __init__(self, manifest: dict, files: Mapping[str, bytes], threads: int):
        self.graph = load_graph("user_tower.onnx", files, threads)
        self.index = Index(files["index.faiss"], manifest["index"]["chosen"], threads)
        self.ids = _ids(files["index_ids.npy"], manifest["items"])
        self.position = {item: at for at, item in enumerate(self.ids.tolist()) if at}

    def find(self, feed: Mapping[str, np.ndarray], exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `ExactSearch.find`."""
        (vectors,) = self.graph.run(["vector"], dict(feed))  # [B, D]
        excluded = [[self.position[item] for item in row if item in self.position] for row in exclude.tolist()]
        limit = len(self.ids)
        number = min(limit, k + 1 + max(map(len, excluded)))  # 1 more: the index may hold the padding
        keys = np.array([row * limit + at for row, positions in enumerate(excluded) for at in positions], np.int64)
        items, scores = self._best(vectors, keys, number, k)
        while number < limit and (scores == -np.inf).any():  # an index may answer fewer than it is asked for
            number = min(limit, 2 * number)
            items, scores = self._best(vectors, keys, number, k)
        return items, scores

    def _best(self, vectors: np.ndarray, excluded: np.ndarray, number: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best of so many that the index finds; `excluded` holds row * V + position."""
        scores, at = self.index.search(vectors, number)  # [B, number]
        keys = at + np.arange(len(at))[:, None] * len(self.ids)
        out = (at < 1) | np.isin(keys, excluded)
        scores, at = np.where(out, np.float32(-np.inf), scores), np.where(out, 0, at)
        order = np.lexsort((at, -scores), axis=1)[:, :k]
        return self.ids[np.take_along_axis(at, order, 1)], np.take_along_axis(scores, order, 1)


def _ids(content: bytes, items: dict) -> np.ndarray:
    """[V] raw ids as the graphs give them."""
    try:
        ids = np.load(BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BundleError(f"index_ids.npy cannot be read: {error}; export the run again") from error
    if ids.shape != (items["count"] + 1,):
        raise BundleError(f"index_ids.npy holds {ids.shape} ids, the manifest says {items['count']} and padding; export the run again")
    return ids.astype(object if items["dtype"] == "string" else np.int64)


SEARCHES: dict[str, type[ExactSearch] | type[IndexSearch]] = {"exact": ExactSearch, "index": IndexSearch}


class Index:
    """The index of a bundle, index.faiss: finds nearly all items whose vectors have the largest inner products, with numpy and faiss alone.

    Scores are the float32 inner products with the vectors that the index was built of; only the order of summation differs from the
    product in retriever.onnx.

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
            try:
                faiss.ParameterSpace().set_index_parameter(self.index, PARAMETERS[name], value)
            except (KeyError, RuntimeError) as error:
                raise ValueError(f"got a parameter {name!r}; this index ({type(self.index).__name__}) has no such setting") from error
        self.threads, self.set_threads = threads, faiss.omp_set_num_threads

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
            item_scores, items = self._items(row_scores, row_numbers, k)
            best[row, : len(items)], at[row, : len(items)] = item_scores, items
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
