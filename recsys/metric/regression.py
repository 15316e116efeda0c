"""Metrics of predicted numbers against real ones. N rows; sums are numpy's, on one thread."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from recsys.metric.declaration import Declaration


def root_mean_squared_error(predicted: Tensor, actual: Tensor) -> float:
    """Root of the mean of squared differences of [N] and [N] in float64; NaN without rows.

    Example:
        >>> import torch
        >>> root_mean_squared_error(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))  # the root of 4 / 2
        1.4142135623730951
    """
    return _mean((predicted.double() - actual.double()).numpy() ** 2) ** 0.5


def mean_absolute_error(predicted: Tensor, actual: Tensor) -> float:
    """Mean of absolute differences of [N] and [N] in float64; NaN without rows."""
    return _mean(np.abs((predicted.double() - actual.double()).numpy()))


METRICS: tuple[Declaration[Callable[[Tensor, Tensor], float]], ...] = (
    Declaration(
        "rmse",
        "root of the mean squared error",
        measure=root_mean_squared_error,
        better="less",
        unit="units of the label",
        beside=True,
        compared=True,
    ),
    Declaration("mae", "mean absolute error", measure=mean_absolute_error, better="less", unit="units of the label", beside=True),
)
"""Metrics of a label that is a number."""


def _mean(values: np.ndarray) -> float:
    return float(values.sum() / len(values)) if len(values) else math.nan
