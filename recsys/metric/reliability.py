"""Reliability curve: how often a label came true among rows of about the same predicted probability. N rows, T distinct probabilities."""

from typing import Any

import numpy as np
from torch import Tensor

from recsys.metric.binary import tally

BINS = 10
"""A tenth of the rows each: of a label that is 1 in one row of a hundred, 10,000 rows still bring ten positives to a bin."""
COLUMNS = 30
"""Columns of the histogram."""
Z = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""


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
        positives "actual", and bounds "low" and "high" of that share's 95 % interval (`wilson`); "smallest" and "largest" prediction, and
        a "histogram" [COLUMNS] of rows between them, in columns of equal width, all in the first if these are equal. None without rows.
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
        low, high = wilson(positives, rows)
        parts.append({"rows": rows, "predicted": total / rows, "actual": positives / rows, "low": low, "high": high})
    histogram = np.bincount(column, weights=counts.rows, minlength=COLUMNS).astype(np.int64).tolist()
    counted = {"rows": len(label), "positives": int(counts.positives.sum()), "bins": parts}
    return counted | {"smallest": smallest, "largest": largest, "histogram": histogram}


def wilson(positives: int, rows: int) -> tuple[float, float]:
    """95 % interval of a share of independent rows (Wilson, JASA 1927): inside [0, 1], and of some width even where all rows agree.

    Rows of one user resemble each other, so an interval over users would be somewhat wider.

    Args:
        rows: at least 1.
    """
    share = positives / rows
    middle = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    reach = Z * (share * (1 - share) / rows + Z**2 / (4 * rows**2)) ** 0.5 / (1 + Z**2 / rows)
    # of one class alone the formula gives its bound up to rounding
    return (max(middle - reach, 0.0) if positives else 0.0), (min(middle + reach, 1.0) if positives < rows else 1.0)
