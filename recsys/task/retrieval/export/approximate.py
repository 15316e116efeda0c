"""Approximate search in a bundle, built over what is published and asked as a server asks. V catalogue rows, Q queries, D dim."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from recsys.export.graph import session
from recsys.export.index.base import SearchIndex
from recsys.export.index.curve import write_index
from recsys.export.preprocessing import raw_array
from recsys.export.requests import single
from recsys.task.retrieval.export.graph import exact_search

QUERIES = 512
"""Test users at most that recall is measured on."""


def write_approximate(folder: Path, index: SearchIndex, items: Mapping, raw: Mapping[str, np.ndarray]) -> dict:
    """Build an index over item_embeddings.parquet and measure it on what user_tower.onnx makes of users, one by one.

    Both files are those to be published: a narrow tower makes other vectors than the model, and in int8 other ones in a batch.

    Args:
        items: of the manifest.
        raw: {column: [N] or [N, L]} raw values of test users.
    Returns:
        manifest["index"]; see `recsys.export.index.curve.measured`.
    """
    frame = pl.read_parquet(folder / "item_embeddings.parquet")
    known = frame["vector"].to_numpy()
    vectors = np.concatenate([np.zeros_like(known[:1]), known])  # [V, D], row 0 pads
    ids = raw_array([None, *frame[items["column"]].to_list()], items["dtype"])
    tower, number = session(folder / "user_tower.onnx"), min(QUERIES, len(next(iter(raw.values()))))
    queries = np.concatenate([tower.run(["vector"], single(raw, row))[0] for row in range(number)])
    return write_index(folder, index, vectors, ids, queries, exact_search(vectors, index.k))
