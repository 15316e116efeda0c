"""What quantisation gains and costs: the same requests to both graphs. N rows, E excluded ids, K answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from onnxruntime import InferenceSession, SessionOptions

from recsys.export.quantize.speed import p50_ratio
from recsys.metric.binary import auc, expected_calibration_error

ROWS_PER_RUN = 64
"""Rows of one call whose lists are compared, as many as a server answers at once."""
CANDIDATES = 200
"""Rows of one call to the ranker: the candidates of one user."""
Feed = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Users:
    """Requests to retriever.onnx whose right answers are known.

    Attributes:
        feed: {input: [N, ...]} raw user columns, and `exclude` [N, E].
        relevant: [N] arrays of raw item ids, as in the graph's answers.
        k: length of the lists.
    """

    feed: Feed
    relevant: Sequence[np.ndarray]
    k: int


@dataclass(frozen=True)
class Rows:
    """Rows for ranker.onnx whose labels are known.

    Attributes:
        feed: {input: [N, ...]} raw columns.
        user_columns: those of `feed` that one user brings for all candidates.
        labels: {output: [N] float, 0 or 1; NaN where the row does not count}.
        numbers: {output that is no probability: [N] float; NaN where the row does not count}.
    """

    feed: Feed
    user_columns: Sequence[str]
    labels: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def outputs(self) -> list[str]:
        """All that are measured."""
        return [*self.labels, *self.numbers]


@dataclass(frozen=True)
class Quantized:
    """What was measured, for the manifest.

    Attributes:
        kind: of quantisation.
        bytes_before, bytes_after: of all graphs together.
        p50_ratio: {graph: time of a single request, over that in float32}.
        float32: {metric: value before}: `recall@<k>`, `<label>/auc`, `<label>/ece` and `<number>/rmse`. AUC only where both labels occur.
        loss: {metric: value after - value before}.
        same_items: {`same_items@<k>`: share of the items of a float32 list that the narrow list holds too}.
        vectors: {tower: how far its vectors are at most from those in float32, as a share of the length of these}.
    """

    kind: str
    bytes_before: int
    bytes_after: int
    p50_ratio: dict[str, float]
    float32: dict[str, float]
    loss: dict[str, float]
    same_items: dict[str, float]
    vectors: dict[str, float]


def measure(
    kind: str, before: Path, after: Path, *, users: Users | None = None, items: Feed | None = None, rows: Rows | None = None
) -> Quantized:
    """Compare the graphs of two folders.

    Args:
        before, after: hold the same *.onnx, in float32 and narrow.
        users: for retriever.onnx and user_tower.onnx; None where there is none.
        items: {input: [N, ...]} raw item columns for item_tower.onnx; None where there is none.
        rows: for ranker.onnx; None where there is none.
    """
    ratios, metrics, same, vectors = {}, ({}, {}), {}, {}
    if users is not None:
        pair = [_session(folder / "retriever.onnx") for folder in (before, after)]
        lists = [_lists(graph, users) for graph in pair]
        for found, answered in zip(metrics, lists):
            found[f"recall@{users.k}"] = _recall(answered, users.relevant)
        same[f"same_items@{users.k}"] = _recall(lists[1], lists[0])
        ratios["retriever"] = p50_ratio(*pair, ["items", "scores"], _single_users(users))
        raw = {column: values for column, values in users.feed.items() if column != "exclude"}
        vectors["user_tower"] = _apart(before / "user_tower.onnx", after / "user_tower.onnx", raw)
    if items is not None:
        vectors["item_tower"] = _apart(before / "item_tower.onnx", after / "item_tower.onnx", items)
    if rows is not None:
        pair = [_session(folder / "ranker.onnx") for folder in (before, after)]
        for found, graph in zip(metrics, pair):
            predictions = _predictions(graph, rows)
            found.update(_label_metrics(predictions, rows.labels) | _errors(predictions, rows.numbers))
        ratios["ranker"] = p50_ratio(*pair, rows.outputs, _single_rankings(rows))
    sizes = [sum(path.stat().st_size for path in folder.glob("*.onnx")) for folder in (before, after)]
    loss = {metric: metrics[1][metric] - value for metric, value in metrics[0].items()}
    return Quantized(kind, *sizes, ratios, metrics[0], loss, same, vectors)


def _session(path: Path) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _lists(graph: InferenceSession, users: Users) -> list[np.ndarray]:
    """[N] arrays [K] of raw ids, best first; only those with a finite score."""
    answers = []
    for start in range(0, len(users.relevant), ROWS_PER_RUN):
        items, scores = graph.run(["items", "scores"], _part(users.feed, start, ROWS_PER_RUN) | {"k": np.array([users.k])})
        answers += [row[kept] for row, kept in zip(items, np.isfinite(scores))]
    return answers


def _recall(lists: Sequence[np.ndarray], relevant: Sequence[np.ndarray]) -> float:
    """Mean share of a row's relevant items that its list holds, over the rows that have any."""
    shares = [np.isin(wanted, listed).mean() for listed, wanted in zip(lists, relevant) if len(wanted)]
    return float(np.mean(shares))


def _predictions(graph: InferenceSession, rows: Rows) -> dict[str, np.ndarray]:
    """{output: [N] float32}."""
    number = len(next(iter(rows.feed.values())))
    parts = [graph.run(rows.outputs, _part(rows.feed, start, CANDIDATES)) for start in range(0, number, CANDIDATES)]
    return {output: np.concatenate(values) for output, values in zip(rows.outputs, zip(*parts))}


def _label_metrics(predictions: Feed, labels: Feed) -> dict[str, float]:
    found = {}
    for output, label in labels.items():
        known = ~np.isnan(label)
        if not known.any():
            continue
        probability, truth = torch.from_numpy(predictions[output][known]), torch.from_numpy(label[known])
        found[f"{output}/ece"] = expected_calibration_error(probability, truth)
        if len(truth.unique()) == 2:
            found[f"{output}/auc"] = auc(probability, truth)
    return found


def _errors(predictions: Feed, numbers: Feed) -> dict[str, float]:
    """{`<number>/rmse`: root of the mean squared error}, of numbers that some row has."""
    known = {output: ~np.isnan(actual) for output, actual in numbers.items()}
    apart = {output: (predictions[output] - numbers[output])[rows].astype(np.float64) for output, rows in known.items() if rows.any()}
    return {f"{output}/rmse": float(np.sqrt(np.mean(gap**2))) for output, gap in apart.items()}


def _apart(before: Path, after: Path, feed: Feed) -> float:
    """The largest distance of a vector from that in float32, over the length of the latter; rows are asked one by one."""
    number = len(next(iter(feed.values())))
    was, now = (
        np.concatenate([graph.run(["vector"], _part(feed, row, 1))[0] for row in range(number)])
        for graph in (_session(before), _session(after))
    )
    length = np.maximum(np.linalg.norm(was, axis=1), np.finfo(np.float32).tiny)  # of a vector of zeros
    return float((np.linalg.norm(now - was, axis=1) / length).max())


def _single_users(users: Users) -> list[Feed]:
    return [_part(users.feed, row, 1) | {"k": np.array([users.k])} for row in range(len(users.relevant))]


def _single_rankings(rows: Rows) -> list[Feed]:
    """One user with the columns of up to CANDIDATES rows, per request."""
    number = len(next(iter(rows.feed.values())))
    one = {column: rows.feed[column] for column in rows.user_columns}
    many = {column: values for column, values in rows.feed.items() if column not in one}
    return [_part(one, start, 1) | _part(many, start, CANDIDATES) for start in range(0, number, CANDIDATES)]


def _part(feed: Feed, start: int, number: int) -> dict[str, np.ndarray]:
    return {column: values[start : start + number] for column, values in feed.items()}
