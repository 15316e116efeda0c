"""An index in a bundle: index.faiss, index_ids.npy and the picture index.svg. V catalogue rows, Q queries, D dim."""

from pathlib import Path

import numpy as np

from recsys.errors import DataError, Fault
from recsys.export.index.base import SearchIndex
from recsys.export.index.curve import Exact, measured
from recsys.export.index.plot import draw


def write_index(folder: Path, index: SearchIndex, vectors: np.ndarray, item_ids: np.ndarray, queries: np.ndarray, exact: Exact) -> dict:
    """Build an index, measure it, and write what a server and a reader need.

    Args:
        vectors: [V, D] float32 by catalogue position; row 0 pads.
        item_ids: [V] raw ids, int64 or strings; [0] is the missing value.
        queries: [Q, D] float32 of real users.
        exact: answers one query exactly; see `recsys.export.index.curve.Exact`.
    Returns:
        manifest["index"]; see `recsys.export.index.curve.measured`. `chosen` is None where recall is too low: `refusal` says what to do.

    Raises:
        DataError, ConfigError: see `SearchIndex.build`; or ids that numpy cannot keep.
    """
    ids = plain_ids(item_ids)
    content = index.build(vectors)
    (folder / "index.faiss").write_bytes(content)
    np.save(folder / "index_ids.npy", ids, allow_pickle=False)
    entry = measured(index, content, vectors, queries, exact)
    draw(entry, folder / "index.svg")
    return entry


def plain_ids(item_ids: np.ndarray) -> np.ndarray:
    """[V] int64, or strings of one width, which numpy loads without unpickling.

    Raises:
        DataError: a string ends with NUL, which numpy would cut off.
    """
    if item_ids.dtype.kind in "iu":
        return item_ids.astype(np.int64)
    cut = [text for text in item_ids.tolist() if text.endswith("\0")]
    if cut:
        what = f"{len(cut)} item ids end with the character NUL, the first {cut[0]!r}; index_ids.npy cannot hold them"
        raise DataError(Fault(what, "item ids of the store", "give these items other ids, or export without an index (index=null)"))
    return item_ids.astype(np.str_)
