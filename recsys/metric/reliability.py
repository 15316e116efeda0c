"""Reliability curve: how often a label came true among rows of about the same predicted probability. N rows, T distinct probabilities."""

from typing import Any

import numpy as np
from torch import Tensor

from recsys.metric.binary import tally
from recsys.metric.interval import wilson

BINS = 10
"""A tenth of the rows each: of a label that is 1 in one row of a hundred, 10,000 rows still bring ten positives to a bin."""
COLUMNS = 30
"""Columns of the histogram."""


def reliability(probability: Tensor, label: Tensor, *, bins: int = BINS) -> dict[str, Any] | None:
    """Reliability curve of a label in bins of equal mass, as `Tally.calibration_error` makes them; for reliability.json.

    A row's bin is floor(bins * rows with a smaller probability / N): equal predictions are never torn apart, bins behind a large tie are
    left out, and fewer rows than bins have one each.

    Args:
        probability: [N] in [0, 1].
        label: [N] 0 or 1.
        bins: at least 1.
    Returns:
        "rows" and "positives" of the label; "bins" by ascending prediction, each with its "rows", mean probability "predicted", share of
        positives "actual", and bounds "low" and "high" of that share's 95 % interval (`wilson`, rows taken as independent);
        "smallest" and "largest" prediction, and a "histogram" [COLUMNS] of rows between them, in columns of equal width,
        all in the first if these are equal. None without rows.
    """
    if not len(label):
        return None
    counts = tally(probability, label)
    below = counts.rows.cumsum() - counts.rows
    starts = np.flatnonzero(np.diff(below * bins // len(label), prepend=-1))  # [bins that have rows] first of the T in each
    columns = (counts.rows, counts.rows * counts.probability, counts.positives)
    sums = zip(*(np.add.reduceat(column, starts).tolist() for column in columns))
    smallest, largest = float(counts.probability[0]), float(counts.probability[-1])
    place = (counts.probability - smallest) / max(largest - smallest, np.finfo(np.float64).tiny)
    column = np.minimum((place * COLUMNS).astype(np.int64), COLUMNS - 1)  # the largest belongs to the last column
    parts = []
    for rows, total, positives in sums:
        low, high = map(float, wilson(positives / rows, rows))
        parts.append({"rows": rows, "predicted": total / rows, "actual": positives / rows, "low": low, "high": high})
    histogram = np.bincount(column, weights=counts.rows, minlength=COLUMNS).astype(np.int64).tolist()
    counted = {"rows": len(label), "positives": int(counts.positives.sum()), "bins": parts}
    return counted | {"smallest": smallest, "largest": largest, "histogram": histogram}
