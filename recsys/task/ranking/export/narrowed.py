"""What narrow weights change in a ranker: the same rows to both graphs. N rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from onnxruntime import InferenceSession

from recsys.export.graph import session
from recsys.export.quantize.speed import Feed, p50_ratio, rows_of
from recsys.export.section import Narrowed
from recsys.metric.binary import auc, expected_calibration_error

CANDIDATES = 200
"""Rows of one call: the candidates of one user."""


def narrowed(
    before: Path, after: Path, feed: Feed, user_columns: Sequence[str], labels: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray]
) -> Narrowed:
    """Compare predictions with what came of the rows, and the time of one user's candidates.

    Args:
        feed: {input: [N, ...]} raw columns.
        user_columns: those of `feed` that one user brings for all candidates.
        labels: {output: [N] float, 0 or 1; NaN where the row does not count}.
        numbers: {output that is no probability: [N] float; NaN where the row does not count}.
    """
    outputs = [*labels, *numbers]
    graphs = [session(folder / "ranker.onnx") for folder in (before, after)]
    predicted = [_predictions(graph, feed, outputs) for graph in graphs]
    metrics = [_label_metrics(values, labels) | _errors(values, numbers) for values in predicted]
    return Narrowed(
        metrics[0], metrics[1], p50_ratio={"ranker": p50_ratio(graphs[0], graphs[1], outputs, _single_users(feed, user_columns))}
    )


def _predictions(graph: InferenceSession, feed: Feed, outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """{output: [N] float32}."""
    number = len(next(iter(feed.values())))
    parts = [graph.run(outputs, rows_of(feed, start, CANDIDATES)) for start in range(0, number, CANDIDATES)]
    return {output: np.concatenate(values) for output, values in zip(outputs, zip(*parts))}


def _label_metrics(predictions: Feed, labels: Feed) -> dict[str, float]:
    metrics = {}
    for output, label in labels.items():
        known = ~np.isnan(label)
        if not known.any():
            continue
        probability, truth = torch.from_numpy(predictions[output][known]), torch.from_numpy(label[known])
        metrics[f"{output}/ece"] = expected_calibration_error(probability, truth)
        if len(truth.unique()) == 2:
            metrics[f"{output}/auc"] = auc(probability, truth)
    return metrics


def _errors(predictions: Feed, numbers: Feed) -> dict[str, float]:
    """{`<number>/rmse`: root of the mean squared error}, of numbers that some row has."""
    known = {output: ~np.isnan(actual) for output, actual in numbers.items()}
    errors = {output: (predictions[output] - numbers[output])[rows].astype(np.float64) for output, rows in known.items() if rows.any()}
    return {f"{output}/rmse": float(np.sqrt(np.mean(error**2))) for output, error in errors.items()}


def _single_users(feed: Feed, user_columns: Sequence[str]) -> list[Feed]:
    """One user with the columns of up to CANDIDATES rows, per request."""
    number = len(next(iter(feed.values())))
    user = {column: feed[column] for column in user_columns}
    rows = {column: values for column, values in feed.items() if column not in user}
    return [rows_of(user, start, 1) | rows_of(rows, start, CANDIDATES) for start in range(0, number, CANDIDATES)]
