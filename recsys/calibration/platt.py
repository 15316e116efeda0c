"""A logistic curve through the logits. B rows, N rows to fit on."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.calibration.base import Calibration, State

MIN_SLOPE = 1e-3
"""The slope stays positive: calibration must not turn the order of scores round."""
MAX_STEPS = 100
"""Newton's method takes about 5 here, and some 20 from logits that are far off."""


class Platt(Calibration):
    """sigmoid(slope * logit + intercept), slope > 0. Platt, 1999.

    Two numbers: right for a few hundred rows as for millions, and it keeps the order of scores; but it mends only what a stretch and a
    shift can, such as overconfidence or a base rate that moved with the loss's weights. Fitted by Newton's method in float64 on
    the log loss against (N+ + 1) / (N+ + 2) for the N+ labels of 1 and 1 / (N- + 2) for the N- of 0, which keeps the slope finite where
    the logits separate them.
    """

    slope: Tensor
    intercept: Tensor

    def __init__(self):
        super().__init__({"slope": 1.0, "intercept": 0.0})

    def forward(self, logit: Tensor) -> Tensor:
        """[B] -> [B] float32."""
        return (self.slope * logit.float() + self.intercept).sigmoid()  # float32, see `Plain`

    def fitted_state(self, logit: Tensor, label: Tensor) -> State:
        """Slope and intercept; see `Calibration.fitted_state`."""
        positives = label.sum()
        negatives = len(label) - positives
        target = torch.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        ones = torch.ones_like(logit)
        slope, intercept = minimal_log_loss(torch.stack([logit, ones], 1), target, offset=torch.zeros_like(logit)).tolist()
        if slope < MIN_SLOPE:
            self.note = f"higher logits do not go with more labels of 1 (slope {slope:.3g}); the slope was set to {MIN_SLOPE}"
            slope = MIN_SLOPE
            (intercept,) = minimal_log_loss(ones[:, None], target, offset=slope * logit).tolist()
        return {"slope": slope, "intercept": intercept}


def minimal_log_loss(inputs: Tensor, target: Tensor, *, offset: Tensor) -> Tensor:
    """Newton's method with backtracking, from 0.

    Args:
        inputs: [N, F] float64.
        target: [N] float64 in (0, 1).
        offset: [N] float64.
    Returns:
        [F] coefficients, for which sigmoid(offset + inputs @ coefficients) has the least mean log loss. Where inputs depend on each
        other, those of least length.
    """
    coefficients = inputs.new_zeros(inputs.shape[1])
    loss = _log_loss(offset, target)
    for _ in range(MAX_STEPS):
        predicted = (offset + inputs @ coefficients).sigmoid()
        gradient = inputs.T @ (predicted - target) / len(target)
        curvature = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs / len(target)
        step = torch.linalg.pinv(curvature, hermitian=True) @ gradient
        decrease = gradient @ step  # twice what a full step gains, if the loss is a parabola
        if decrease < 1e-12:  # after this last step, far below what float64 can tell
            return coefficients - step
        length = 1.0
        while (shorter := _log_loss(offset + inputs @ (coefficients - length * step), target)) > loss - 1e-4 * length * decrease:
            length /= 2
        coefficients, loss = coefficients - length * step, shorter
    raise AssertionError("Newton's method with backtracking does not end on a convex loss")


def _log_loss(logit: Tensor, target: Tensor) -> Tensor:
    return (F.softplus(logit) - target * logit).mean()
