"""What narrow weights change in a retriever: the same requests to both graphs. N rows, E excluded ids, K answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession

from recsys.export.graph import session
from recsys.export.quantize.speed import Feed, p50_ratio, rows_of
from recsys.export.section import Narrowed

ROWS_PER_RUN = 64
"""Rows of one call whose lists are compared, as many as a server answers at once."""


def narrowed(before: Path, after: Path, feed: Feed, relevant: Sequence[np.ndarray], *, k: int, items: Feed | None = None) -> Narrowed:
    """Compare the lists, the time of a single request, and the vectors of both towers.

    Args:
        feed: {input: [N, ...]} raw user columns, and `exclude` [N, E].
        relevant: [N] arrays of raw item ids, as in the graph's answers.
        k: length of the lists.
        items: {input: [N, ...]} raw item columns for item_tower.onnx; None: it is not compared.
    """
    graphs = [session(folder / "retriever.onnx") for folder in (before, after)]
    lists = [_lists(graph, feed, len(relevant), k) for graph in graphs]
    single = [rows_of(feed, row, 1) | {"k": np.array([k])} for row in range(len(relevant))]
    raw = {column: values for column, values in feed.items() if column != "exclude"}
    towers = {"user_tower": raw} | ({} if items is None else {"item_tower": items})
    return Narrowed(
        before={f"recall@{k}": _recall(lists[0], relevant)},
        after={f"recall@{k}": _recall(lists[1], relevant)},
        p50_ratio={"retriever": p50_ratio(graphs[0], graphs[1], ["items", "scores"], single)},
        same_items={f"same_items@{k}": _recall(lists[1], lists[0])},
        vectors={name: _distance(before / f"{name}.onnx", after / f"{name}.onnx", columns) for name, columns in towers.items()},
    )


def _lists(graph: InferenceSession, feed: Feed, number: int, k: int) -> list[np.ndarray]:
    """[N] arrays [K] of raw ids, best first; only those with a finite score."""
    answers = []
    for start in range(0, number, ROWS_PER_RUN):
        items, scores = graph.run(["items", "scores"], rows_of(feed, start, ROWS_PER_RUN) | {"k": np.array([k])})
        answers += [row[finite] for row, finite in zip(items, np.isfinite(scores))]
    return answers


def _recall(lists: Sequence[np.ndarray], relevant: Sequence[np.ndarray]) -> float:
    """Mean share of a row's relevant items that its list holds, over the rows that have any."""
    return float(np.mean([np.isin(wanted, items).mean() for items, wanted in zip(lists, relevant) if len(wanted)]))


def _distance(before: Path, after: Path, feed: Feed) -> float:
    """The largest distance of a vector from that in float32, over the length of the latter; rows are asked one by one."""
    number = len(next(iter(feed.values())))
    was, now = (
        np.concatenate([graph.run(["vector"], rows_of(feed, row, 1))[0] for row in range(number)])
        for graph in (session(before), session(after))
    )
    length = np.maximum(np.linalg.norm(was, axis=1), np.finfo(np.float32).tiny)  # of a vector of zeros
    return float((np.linalg.norm(now - was, axis=1) / length).max())
