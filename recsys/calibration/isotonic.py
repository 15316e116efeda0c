"""A rising curve of any shape through the logits. B rows, N rows to fit on, K knots, M blocks."""

import numpy as np
import torch
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from recsys.calibration.base import Calibration, State

MAX_KNOTS = 256
"""Most points of the curve: serving compares each row with all of them."""
MAX_SLOPE = 0.5
"""Largest slope of the curve per unit of the logit; the sigmoid's is 0.25. No two programs agree in the last digit of a logit, and on a
cliff they would give two probabilities."""


class Isotonic(Calibration):
    """Linear interpolation between the knots of the isotonic regression of labels on logits; constant outside.

    Zadrozny & Elkan, KDD 2002. Follows any rising curve, so it also mends what `Platt` cannot; wants thousands of labels of either kind.
    It is flat within a block, so scores that differ may get the same probability.

    The regression's values are the shares of label 1 in blocks of neighbouring logits; a block gives one knot at either end. From one
    to the next the curve rises by at most 0.5 per unit of the logit, for which knots move into their blocks, by a hundredth for a
    step of .01. Where a block is too short for that, or there are more than 256 knots, neighbouring blocks are merged, those first that
    cost the least log loss. Probabilities are kept in [1 / (N + 2), 1 - 1 / (N + 2)], what one row more of either label would give, so
    that log loss stays finite (and 1e-7 from 1 at least, as float32 needs).

    The look-up takes B x K comparisons, as a binary search has no ONNX operator.
    """

    logits: Tensor
    probabilities: Tensor

    def __init__(self):
        super().__init__({"logits": [], "probabilities": []})

    def forward(self, logit: Tensor) -> Tensor:
        """[B] -> [B] float32."""
        logit = logit.float()  # float32, see `Plain`
        num_knots = len(self.logits)
        if num_knots == 0:
            return logit.sigmoid()
        passed = (logit[:, None] >= self.logits).sum(1)  # [B], knots at or below the logit
        left, right = (passed - 1).clamp(min=0), passed.clamp(max=num_knots - 1)
        width = (self.logits[right] - self.logits[left]).clamp_min(torch.finfo(torch.float32).tiny)  # 0 outside, where left is right
        share = ((logit - self.logits[left]) / width).clamp(0.0, 1.0)
        return self.probabilities[left] + share * (self.probabilities[right] - self.probabilities[left])

    def fitted_state(self, logit: Tensor, label: Tensor) -> State:
        """Knots, in rising order; see `Calibration.fitted_state`."""
        floor = max(1 / (len(label) + 2), torch.finfo(torch.float32).eps)
        regression = IsotonicRegression(y_min=floor, y_max=1 - floor).fit(logit.numpy(), label.numpy())
        knots, probabilities = curve(regression.X_thresholds_, regression.y_thresholds_, np.sort(logit.numpy()))
        return {"logits": knots.tolist(), "probabilities": probabilities.tolist()}


def curve(knots: np.ndarray, probabilities: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most MAX_KNOTS knots of a curve no steeper than MAX_SLOPE.

    Args:
        knots: [K] the ends of the blocks, rising; one or two per block.
        probabilities: [K] in (0, 1), equal within a block.
        logits: [N] of all rows, rising.
    """
    first = np.flatnonzero(np.diff(probabilities, prepend=-1.0))  # [M]
    last = np.append(first[1:], len(knots)) - 1
    low, high, value = knots[first], knots[last], probabilities[first]
    count = np.searchsorted(logits, high, side="right") - np.searchsorted(logits, low)  # [M], rows of each block
    while True:
        begin, end = _ramped(low, high, value)
        short = begin > end
        if not short.any() and (begin < end).sum() + len(begin) <= MAX_KNOTS:
            break
        both = count[:-1] + count[1:]
        mean = (count[:-1] * value[:-1] + count[1:] * value[1:]) / both
        apart = count * _entropy(value)
        cost = both * _entropy(mean) - apart[:-1] - apart[1:]
        at = np.argmin(np.where(short[:-1] | short[1:] | ~short.any(), cost, np.inf))
        value[at], count[at], high[at] = mean[at], both[at], high[at + 1]
        low, high, value, count = (np.delete(column, at + 1) for column in (low, high, value, count))
    kept = np.stack([np.ones(len(begin), bool), begin < end], 1).ravel()  # a block of one logit has one knot
    return np.stack([begin, end], 1).ravel()[kept], value.repeat(2)[kept]


def _ramped(low: np.ndarray, high: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[M] where the flat part of each block begins and ends; it ends before it begins in a block too short for the ramps beside it."""
    missing = np.maximum(np.diff(value) / MAX_SLOPE - (low[1:] - high[:-1]), 0.0) / 2  # [M - 1], what either block gives for a ramp
    return low + np.append(0.0, missing), high - np.append(missing, 0.0)


def _entropy(share: np.ndarray) -> np.ndarray:
    """Mean log loss of a constant prediction that equals the share of label 1, in (0, 1)."""
    return -share * np.log(share) - (1 - share) * np.log1p(-share)
