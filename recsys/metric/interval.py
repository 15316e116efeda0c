"""95 % intervals over users that hold for few users too, and for metrics that are 0 for most of them. U users, M metrics.

Nothing is drawn: an interval is a closed form of the values, so it is the same for any number of processes, threads and chunks.
`python -m benchmarks coverage` measures how often each kind holds the truth.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit, stdtrit

Z = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""
TAIL = 0.025
"""Probability of the truth beyond each bound."""
FEWEST = 20
"""Users from which an interval is given, and a difference judged: the spread of fewer is itself mostly chance."""
IMAGINED = 1.0
"""Weight, in hits, of an imagined user of the largest value, which a metric that is 0 for most users has perhaps not met yet."""

Bounds = tuple[np.ndarray, np.ndarray]
"""Lower and upper bounds."""
OfError = Callable[[float, float, int], tuple[float, float] | None]
"""From a value, its standard error and the units that bear on it, at least 2, to an interval; None where there is none."""


def wilson(share: np.ndarray | float, number: np.ndarray | float) -> Bounds:
    """Interval of a share of `number` > 0 independent users or rows (Wilson, JASA 1927): inside [0, 1], never of width 0.

    Returns:
        low, high: of the shape of `share`.
    """
    share = np.asarray(share, dtype=np.float64)
    middle = (share + Z**2 / (2 * number)) / (1 + Z**2 / number)
    reach = Z * np.sqrt(share * (1 - share) / number + Z**2 / (4 * number**2)) / (1 + Z**2 / number)
    # of one class alone the formula gives its bound up to rounding
    return np.where(share > 0, np.maximum(middle - reach, 0.0), 0.0), np.where(share < 1, np.minimum(middle + reach, 1.0), 1.0)


def share_intervals(values: np.ndarray, *, largest: np.ndarray | float = 1.0) -> Bounds:
    """Intervals of the means of M columns of [U, M] values in [0, largest], such as hit rate, recall or NDCG by user; U >= 1.

    Wilson's interval of an effective number of users, U / f, where f is the variance of the values over that of zeros and ones with
    the same mean (a design effect: Kish, Survey Sampling, 1965). So f is 1 for hits. A few small values say little of the large ones to
    come, so f is drawn towards 1 as by `IMAGINED` hits.

    Args:
        largest: value that a user could have, one for all or [M].
    Returns:
        low, high: [M] float64.
    """
    columns = np.ascontiguousarray(np.asarray(values, dtype=np.float64).T)  # one thread sums each row pairwise
    mean = columns.mean(1)
    spread = ((columns - mean[:, None]) ** 2).mean(1)
    low, high = _wilson_of_spread(mean / largest, spread / np.square(largest), columns.shape[1])
    return low * largest, high * largest


def _wilson_of_spread(mean: np.ndarray, spread: np.ndarray, number: int) -> Bounds:
    """Intervals of means [M] over users whose values have the variances [M]."""
    largest, hits = mean * (1 - mean), mean * number
    effect = np.divide(spread, largest, out=np.ones_like(mean), where=largest > 0)
    effect = (effect * hits + IMAGINED) / (hits + IMAGINED)
    return wilson(mean, number / np.minimum(effect, 1.0))


def difference_intervals(values: np.ndarray) -> Bounds:
    """Intervals of the means of M columns of [U, M] differences of two models' metrics, which are 0 for most users; U >= 2.

    Student's, as if one user more had the largest difference (after Agresti and Min, Statistics in Medicine 2005, who add one to the pairs
    that differ): where few users differ at all, their spread is too small as often as not.
    """
    return mean_intervals(values, imagined=largest_square(values))


def largest_square(values: np.ndarray) -> np.ndarray:
    """[M] largest square in each column of [U, M] differences, 1 where all are 0: what `difference_intervals` adds to their spread."""
    largest = np.square(values).max(0)
    return np.where(largest > 0, largest, 1.0)


def mean_intervals(values: np.ndarray, *, imagined: np.ndarray | float = 0.0) -> Bounds:
    """Student's intervals of the means of M columns of [U, M] values of any range; U >= 2.

    Args:
        imagined: sum of squares of users that were not met, one for all or [M].
    """
    columns = np.ascontiguousarray(np.asarray(values, dtype=np.float64).T)
    number, mean = columns.shape[1], columns.mean(1)
    error = np.sqrt((((columns - mean[:, None]) ** 2).sum(1) + imagined) / (number * (number - 1)))
    reach = stdtrit(number - 1, 1 - TAIL) * error
    return mean - reach, mean + reach


def interval_of_mean(value: float, error: float, units: int) -> tuple[float, float]:
    """As `share_intervals`, of the mean of one column with this standard error."""
    low, high = _wilson_of_spread(np.array([value]), np.array([error**2 * (units - 1)]), units)
    return float(low[0]), float(high[0])


def interval_of_share(value: float, error: float, units: int) -> tuple[float, float] | None:
    """Student's interval on the scale of log odds of a value in (0, 1) with this standard error; None at 0 and 1.

    Args:
        units: users that bear on the value, at least 2.
    """
    if not 0 < value < 1:
        return None
    reach = float(stdtrit(units - 1, 1 - TAIL)) * error / (value * (1 - value))
    return float(expit(logit(value) - reach)), float(expit(logit(value) + reach))


def interval_of_ratio(value: float, error: float, units: int) -> tuple[float, float] | None:
    """Student's interval on the scale of logarithms of a value above 0; None at 0. See `interval_of_share`."""
    if value <= 0:
        return None
    factor = float(np.exp(stdtrit(units - 1, 1 - TAIL) * error / value))
    return value / factor, value * factor
