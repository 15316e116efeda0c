"""Approximate search of a catalogue, built once, asked many times. V catalogue rows, U distinct vectors, D dim."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from typing import Any, ClassVar

import numpy as np

from recsys.errors import ConfigError, DataError, Fault


class SearchIndex(ABC):
    """A way to build an index of inner products, and the settings of its search that are tried. Scores are exact; some items may be missed.

    It is built over the distinct vectors, and every item of a vector stands beside it: items without a trained id of their own often
    share one, and a graph whose nodes have only their twins for neighbours cannot be left.

    Args:
        settings: of the search, the cheapest first; each is measured.
        k: length of the lists whose recall is measured.
        min_recall: the cheapest setting that reaches it serves; with none the bundle is refused.
        seed: with the same one the index is the same to the last byte.
    Attributes:
        kind: name of the index in the manifest.
        setting: what `settings` are values of, as `recsys.serve.search.Index` calls it.
        advice: what else to do where no setting finds enough.
    """

    kind: ClassVar[str]
    setting: ClassVar[str]
    advice: ClassVar[str] = ""

    def __init__(self, settings: Sequence[int], k: int, min_recall: float, seed: int):
        if find_spec("faiss") is None:
            raise ConfigError(Fault("an approximate index needs faiss, which is not installed", "index", "pip install faiss-cpu"))
        self.settings, self.k, self.min_recall, self.seed = tuple(settings), k, min_recall, seed

    @abstractmethod
    def faiss_index(self, distinct: np.ndarray) -> Any:
        """A faiss index of inner products over `distinct` [U, D] float32, U >= 1; node u answers for row u."""

    def build(self, vectors: np.ndarray) -> bytes:
        """Content of index.faiss: an index as faiss writes it, of the distinct vectors, then the items of each.

        Args:
            vectors: [V, D] float32 by catalogue position; row 0 pads and is never an answer.
        Raises:
            DataError: there is no item, or a vector is not finite.
            ConfigError: the index cannot be learned from so few.
        """
        import faiss  # an extra

        positions, starts = grouped(vectors)
        faiss.omp_set_num_threads(1)  # the same bytes on any number of cores: sums of floats depend on how work is cut
        file = BytesIO()
        file.write(faiss.serialize_index(self.faiss_index(vectors[positions[starts[:-1]]])).tobytes())
        np.save(file, positions)
        np.save(file, starts)
        return file.getvalue()


def grouped(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Catalogue positions by vector [V, D], of which row 0 pads; a DataError where there is none, or one is not finite.

    Returns:
        [V - 1] int64 positions, those of one vector beside each other and rising, vectors by their first position; and [U + 1] int64,
        where the positions of each vector begin, and the end.
    """
    if len(broken := np.flatnonzero(~np.isfinite(vectors).all(1))):
        what = f"{len(broken)} item vectors are not finite, the first of catalogue row {broken[0]}"
        raise DataError(Fault(what, "vectors of the items", "export an earlier checkpoint"))
    if len(vectors) < 2:
        raise DataError(Fault("the catalogue has no items", "vectors of the items", "prepare data with items"))
    number: dict[bytes, int] = {}
    rows = (row.tobytes() for row in vectors[1:] + np.float32(0))  # + 0: -0.0 has the bytes of 0.0
    group = np.array([number.setdefault(row, len(number)) for row in rows])  # [V - 1]
    starts = np.append(0, np.cumsum(np.bincount(group)))
    return np.argsort(group, kind="stable") + 1, starts
