"""Influence of each user on a metric of all rows: its derivative by the weight of the user's rows. N rows, T probabilities, U units.

The values that other users would give vary as much as the sum of the squared influences says (the infinitesimal jackknife: Jaeckel, 1972).
Rows come by ascending probability, as in `SortedRows`; influences of rows are summed by the unit of the rows.
"""

import math

import numpy as np

from recsys.metric.binary import SortedRows, Tally


def of_quotient(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """[U] influence on sum(upper) / sum(lower) of [U] each."""
    total = lower.sum()
    return (upper - upper.sum() / total * lower) / total


def of_auc(ordered: SortedRows, tally: Tally, value: float) -> np.ndarray:
    """[N] influence of rows on the area under the ROC curve: the share of the other class they are in order with (DeLong et al., 1988)."""
    negatives = tally.rows - tally.positives
    num_positives, num_negatives = tally.positives.sum(), negatives.sum()
    below = (negatives.cumsum() - negatives / 2) / num_negatives
    above = (num_positives - tally.positives.cumsum() + tally.positives / 2) / num_positives
    place = ordered.place()
    positive = (below[place] - value) / num_positives
    return np.where(ordered.label == 1, positive, (above[place] - value) / num_negatives)


def of_average_precision(ordered: SortedRows, tally: Tally, value: float) -> np.ndarray:
    """[N] influence of rows on the average precision: a row counts at its own threshold, and in the precision of all lower ones."""
    positives, total = tally.positives, tally.positives.sum()
    above, rows = positives[::-1].cumsum()[::-1], tally.rows[::-1].cumsum()[::-1]
    gain, loss = (positives / rows).cumsum(), (positives * above / rows**2).cumsum()
    place = ordered.place()
    return (ordered.label * ((above / rows)[place] + gain[place] - value) - loss[place]) / total


def of_normalized_entropy(log_loss: np.ndarray, positives: np.ndarray, rows: np.ndarray, *, loss: float, entropy: float) -> np.ndarray:
    """[U] influence on log loss over the entropy of the share of positives.

    Args:
        log_loss: [U] influence on the log loss.
        positives, rows: [U] numbers of each unit.
        loss, entropy: the two values.
    """
    rate = positives.sum() / rows.sum()
    slope = math.log1p(-rate) - math.log(rate)  # of the entropy by the share
    return (log_loss - loss / entropy * slope * of_quotient(positives, rows)) / entropy


def standard_error(influence: np.ndarray) -> float:
    """Standard error of a metric from the influences [U] of U >= 2 independent units."""
    return float(np.sqrt((influence**2).sum() * len(influence) / (len(influence) - 1)))
