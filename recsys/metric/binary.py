"""Metrics of predicted probabilities against 0/1 labels. N rows, T distinct probabilities.

Order and calibration depend on the rows only through the counts at each distinct probability, so `Tally` carries them. The counts are
int64: AUC is an exact quotient of integers. Sums of floats are numpy's, on one thread: no result depends on the number of threads.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from recsys.metric.declaration import Declaration

PROBABILITY_EPSILON = 2.0**-24
"""Log loss keeps probabilities this far from 0 and 1: half a float32 step below 1, so it is what a sigmoid that rounded to 1 may have been.
It bounds the loss of a row by 16.6."""
CALIBRATION_BINS = 20
"""Bins of the calibration error, 5 % of the rows each: the twentieth most likely to convert has a bin of its own."""


@dataclass(frozen=True)
class Tally:
    """Rows and positives at each distinct probability.

    Attributes:
        probability: [T] float64, ascending; for AUC any score of which only the order matters.
        rows: [T] int64, 0 allowed.
        positives: [T] int64, at most `rows`.
    """

    probability: np.ndarray
    rows: np.ndarray
    positives: np.ndarray

    def auc(self) -> float:
        """Chance that a random positive scores above a random negative, a tie counting half: the area under the ROC curve.

        Hanley and McNeil, Radiology 1982. For order over all rows; it rewards knowing which users convert, unlike `gauc`. NaN where one
        class is absent.

        Example:
            >>> import torch
            >>> tally(torch.tensor([0.1, 0.4, 0.4, 0.8]), torch.tensor([0, 1, 0, 1])).auc()  # of 4 pairs, 3 in order and 1 tied
            0.875
        """
        negatives = self.rows - self.positives
        pairs = 2 * int(self.positives.sum()) * int(negatives.sum())
        below = negatives.cumsum() - negatives
        return int((self.positives * (2 * below + negatives)).sum()) / pairs if pairs else math.nan

    def average_precision(self) -> float:
        """Area under the precision-recall curve as a sum of steps: precision at each threshold, weighted by the recall it adds.

        Tied rows pass a threshold together. No interpolation, which is too optimistic here (Davis and Goadrich, ICML 2006). For rare
        positives. The base rate for a constant score, 1 without negatives, NaN without positives.

        Example:
            >>> import torch
            >>> tally(torch.tensor([0.9, 0.6, 0.6, 0.1]), torch.tensor([1, 0, 1, 0])).average_precision()  # 1 / 2 * 1 + 1 / 2 * 2 / 3
            0.8333333333333333
        """
        positives = self.positives[::-1]
        above = positives.cumsum()
        precision = above / np.maximum(self.rows[::-1].cumsum(), 1)  # 0 / 1 above the first row
        return float((positives * precision).sum() / above[-1]) if len(above) and above[-1] else math.nan

    def calibration_error(self, bins: int = CALIBRATION_BINS) -> float:
        """Mean distance between predicted and actual rate in bins of equal mass, weighted by rows.

        A row's bin is floor(bins * rows with a smaller probability / N): tied rows share the bin of the first, and bins behind a large
        tie stay empty. Naeini et al., AAAI 2015, with equal mass as in Nguyen and O'Connor, EMNLP 2015: most impressions have a small
        probability, where bins of equal width see nothing. Noise in each bin makes it positive even for perfect predictions, see
        `calibration_noise`. With one bin it is the distance between the overall rates; NaN without rows.
        """
        return self._mean_of_bins(np.abs, self.rows * self.probability - self.positives, bins)

    def calibration_noise(self, bins: int = CALIBRATION_BINS) -> float:
        """Calibration error to expect if every probability were right: chance alone moves the actual rate of a bin.

        The mean distance of a normal distribution with the variance of the bin's independent 0/1 labels, sqrt(2 / pi sum p (1 - p)), so
        somewhat too large in a bin that expects less than one positive. NaN without rows.

        Example:
            >>> import torch
            >>> round(tally(torch.full((100,), 0.5), torch.zeros(100)).calibration_noise(), 6)  # sqrt(2 / pi) sqrt(25) / 100
            0.039894
        """
        variance = self.rows * self.probability * (1 - self.probability)
        return self._mean_of_bins(lambda total: np.sqrt(2 / math.pi * total), variance, bins)

    def _mean_of_bins(self, measure: Callable[[np.ndarray], np.ndarray], values: np.ndarray, bins: int) -> float:
        """Sum over the bins of a measure of the sum of values [T] in each, by the number of rows."""
        total = int(self.rows.sum())
        if total == 0:
            return math.nan
        below = self.rows.cumsum() - self.rows
        chosen = np.minimum(below * bins // total, bins - 1)  # only a probability without rows can lie beyond the last bin
        return float(measure(np.bincount(chosen, weights=values, minlength=bins)).sum() / total)


@dataclass(frozen=True)
class SortedRows:
    """Rows by ascending probability, sorted once to be counted under many weights.

    Attributes:
        order: [N] int64 row at each place.
        start: [T] int64 first place of each distinct probability.
        label: [N] int64 0 or 1, at each place.
    """

    order: np.ndarray
    start: np.ndarray
    probability: np.ndarray
    label: np.ndarray

    def place(self) -> np.ndarray:
        """[N] int64 number of the distinct probability at each place."""
        return np.repeat(np.arange(len(self.start)), np.diff(self.start, append=len(self.order)))

    def tally(self, weight: np.ndarray) -> Tally:
        """Counts when the row at each place stands there `weight` [N] int64 times."""
        rows = np.add.reduceat(weight, self.start)
        return Tally(self.probability, rows=rows, positives=np.add.reduceat(weight * self.label, self.start))


def sort_rows(probability: Tensor, label: Tensor) -> SortedRows:
    """SortedRows of [N] scores of any real range and [N] labels."""
    values = probability.double().numpy()
    order = values.argsort()
    values = values[order]
    start = np.flatnonzero(np.concatenate([np.ones(min(len(values), 1), dtype=bool), values[1:] != values[:-1]]))
    return SortedRows(order, start, probability=values[start], label=label.long().numpy()[order])


def tally(probability: Tensor, label: Tensor) -> Tally:
    """Tally of rows that count once each; [N] scores without NaN, and [N] labels 0 or 1 of any dtype."""
    return sort_rows(probability, label).tally(np.ones(len(label), dtype=np.int64))


def log_losses(probability: Tensor, label: Tensor) -> np.ndarray:
    """[N] float64 negative log likelihood of each row in nats, probabilities kept `PROBABILITY_EPSILON` from 0 and 1."""
    clipped = np.clip(probability.double().numpy(), PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON)
    return -np.log(np.where(label.numpy() == 1, clipped, 1 - clipped))


def base_entropy(positives: int, rows: int) -> float:
    """Entropy in nats of a label with `positives` ones among `rows`; NaN where one class is absent."""
    if not 0 < positives < rows:
        return math.nan
    rate = positives / rows
    return -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))


OfCounts = Callable[[Tally, Mapping[str, float]], float]
"""Computes a metric from the rows counted by probability, and from the quotients of sums that are known by then."""

METRICS: tuple[Declaration[OfCounts | None], ...] = (
    Declaration(
        "auc",
        "chance that a row where it came true is predicted above one where it did not; 0.5 is guessing",
        measure=lambda tally, _: tally.auc(),
        chance=0.5,
        beside=True,
        groups=True,
        compared=True,
    ),
    Declaration("gauc", "AUC within each user's rows, which are its weight; 0.5 is guessing", measure=None, chance=0.5),
    Declaration(
        "gauc_by_positives", "AUC within each user's rows, weighted by those where it came true", measure=None, chance=0.5, headline=False
    ),
    Declaration(
        "pr_auc",
        "mean precision over all recalls; guessing gives the share of positives",
        measure=lambda tally, _: tally.average_precision(),
    ),
    Declaration(
        "log_loss",
        "mean of -log of what was predicted for what happened",
        measure=None,
        better="less",
        beside=True,
        groups=True,
        compared=True,
    ),
    Declaration(
        "normalized_entropy",
        "log loss over that of always predicting the share of positives (He et al., ADKDD 2014)",
        measure=lambda tally, values: values["log_loss"] / base_entropy(int(tally.positives.sum()), int(tally.rows.sum())),
        better="less",
    ),
    Declaration(
        "ece",
        "mean distance of predicted and actual shares in groups of equal size",
        measure=lambda tally, _: tally.calibration_error(),
        better="less",
        beside=True,
    ),
    Declaration(
        "ece_noise",
        "the ece that chance alone gives predictions that are all right; an ece no larger than this shows no fault",
        measure=lambda tally, _: tally.calibration_noise(),
        heading="noise",
        better=None,
        beside=True,
    ),
    Declaration(
        "predicted_over_actual",
        "1 is right on average; above 1 promises too much",
        measure=None,
        better=None,
        heading="pred./actual",
        beside=True,
        groups=True,
    ),
)
"""Metrics of a label that is 0 or 1, in the order of their keys, before ndcg@k and recall@k."""
