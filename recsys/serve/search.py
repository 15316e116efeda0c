"""Ways to find the best items of a catalogue. B rows, E excluded ids, K answers, D dim, V catalogue rows."""

import io
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from recsys.serve.graph import load_graph
from recsys.serve.manifest import BundleError


class Search(Protocol):
    """Finds items for rows whose features are checked."""

    def find(self, feed: Mapping[str, np.ndarray], exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best items of each row, by score descending, then in catalogue order.

        Args:
            feed: {column: [B, ...]} user features.
            exclude: [B, E] raw ids, padded with the missing value.
            k: at most the catalogue's size.
        Returns:
            [B, K] raw ids and [B, K] scores; -inf where there are fewer.
        """


class ExactSearch:
    """The whole catalogue, inside retriever.onnx."""

    FILES = ("retriever.onnx",)

    def __init__(self, manifest: dict, files: Mapping[str, bytes], threads: int):
        self.session = load_graph("retriever.onnx", files, threads)

    def find(self, feed: Mapping[str, np.ndarray], exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search.find`."""
        items, scores = self.session.run(["items", "scores"], {**feed, "exclude": exclude, "k": np.array([k], np.int64)})
        return items, scores


class IndexSearch:
    """The likely best part of the catalogue: user_tower.onnx and the bundle's index. It may find fewer than K."""

    FILES = ("user_tower.onnx", "index.faiss", "index_ids.npy")

    def __init__(self, manifest: dict, files: Mapping[str, bytes], threads: int):
        from recsys.serve.index import Index  # it needs faiss, which a server without an index need not have

        self.session = load_graph("user_tower.onnx", files, threads)
        self.index = Index(files["index.faiss"], manifest["index"]["chosen"], threads)
        self.ids = _ids(files["index_ids.npy"], manifest["items"])
        self.position = {item: at for at, item in enumerate(self.ids.tolist()) if at}

    def find(self, feed: Mapping[str, np.ndarray], exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search.find`."""
        (vectors,) = self.session.run(["vector"], dict(feed))  # [B, D]
        excluded = [[self.position[item] for item in row if item in self.position] for row in exclude.tolist()]
        limit = len(self.ids)
        asked = min(limit, k + 1 + max(map(len, excluded)))  # 1 more: the index may hold the padding
        keys = np.array([row * len(self.ids) + at for row, found in enumerate(excluded) for at in found], np.int64)
        items, scores = self._best(vectors, keys, asked, k)
        while asked < limit and (scores == -np.inf).any():  # an index may answer fewer than it is asked for
            asked = min(limit, 2 * asked)
            items, scores = self._best(vectors, keys, asked, k)
        return items, scores

    def _best(self, vectors: np.ndarray, excluded: np.ndarray, asked: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best of those asked for; `excluded` holds row * V + position."""
        scores, at = self.index.search(vectors, asked)  # [B, asked]
        keys = at + np.arange(len(at))[:, None] * len(self.ids)
        out = (at < 1) | np.isin(keys, excluded)
        scores, at = np.where(out, np.float32(-np.inf), scores), np.where(out, 0, at)
        order = np.lexsort((at, -scores), axis=1)[:, :k]
        return self.ids[np.take_along_axis(at, order, 1)], np.take_along_axis(scores, order, 1)


def _ids(content: bytes, items: dict) -> np.ndarray:
    """[V] raw ids as the graphs give them."""
    try:
        ids = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BundleError(f"index_ids.npy cannot be read: {error}; export the run again") from error
    if ids.shape != (items["count"] + 1,):
        raise BundleError(f"index_ids.npy holds {ids.shape} ids, the manifest says {items['count']} and padding; export the run again")
    return ids.astype(object if items["dtype"] == "string" else np.int64)


SEARCHES: dict[str, type[ExactSearch] | type[IndexSearch]] = {"exact": ExactSearch, "index": IndexSearch}
