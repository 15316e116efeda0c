"""Models that answered the same requests, compared by drawing the requesting users again, the same for all. U units, R models, S resamples.

A loss or gain is then seen through the noise that all models share: some users are easier than others for every model.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from recsys.metric.interval import FEWEST, OfError

LEVEL = 0.95
"""Probability that all intervals of differences hold together: each of M has 1 - .05 / M (Bonferroni)."""
POWER = 0.8
"""Share of repetitions that would find a difference of the smallest size that is reported."""

Interval = tuple[float, float, float]
"""A value, and the bounds around it."""
Measure = Callable[[np.ndarray], Sequence[float]]
"""From copies [U] int64 of each unit to a metric's value for the reference and for each model."""


@dataclass(frozen=True)
class Sample:
    """One metric of all models.

    Attributes:
        estimates: of the reference, then of each other.
        drawn: [R, S], over the same resamples.
        units: that bear on the metric: U, or fewer where it needs both classes and few units have one of them.
        interval: of a model's own value, from its standard error.
        imagined: sum of squared differences of units that were not met; see `recsys.metric.interval.difference_intervals`.
    """

    metric: str
    estimates: tuple[float, ...]
    drawn: np.ndarray
    units: int
    interval: OfError
    imagined: float = 0.0


@dataclass(frozen=True)
class Compared:
    """One metric of a model beside the reference.

    Attributes:
        place: of the model among those that are compared, the reference being 0.
        new, old: the model's value and the reference's, each with an interval of its own of 95 %.
        difference: new minus old; its interval is wide enough for all differences together.
        smallest: difference that so many units, those that bear on the metric, would have shown four times out of five.
    """

    metric: str
    place: int
    new: Interval
    old: Interval
    difference: Interval
    smallest: float
    units: int

    @property
    def few(self) -> bool:
        """True where there are too few units to tell any difference from chance."""
        return self.units < FEWEST

    @property
    def sign(self) -> int:
        """1 for a gain and -1 for a loss that chance among the units does not explain, else 0."""
        _, low, high = self.difference
        return 0 if self.few else int(low > 0) - int(high < 0)


def drawn_again(
    measures: Mapping[str, Measure],
    units: int,
    resamples: int,
    *,
    bearing: int,
    interval: Callable[[str], OfError],
    imagined: Mapping[str, float] | None = None,
) -> list[Sample]:
    """Estimates and S resamples of every metric, over the same draws of U units, of which `bearing` bear on the metrics.

    Args:
        interval: gives the interval of a metric's values by its name.
        imagined: {metric: see `Sample`}; None = 0 for all.
    """
    generator = np.random.default_rng(0)
    drawn: dict[str, list[Sequence[float]]] = {metric: [] for metric in measures}
    for _ in range(resamples):
        copies = np.bincount(generator.integers(units, size=units), minlength=units)
        for metric, measure in measures.items():
            drawn[metric].append(measure(copies))
    once = np.ones(units, np.int64)
    return [
        Sample(
            metric,
            tuple(measure(once)),
            np.array(drawn[metric]).T,
            bearing,
            interval=interval(metric),
            imagined=(imagined or {}).get(metric, 0.0),
        )
        for metric, measure in measures.items()
    ]


def comparisons(samples: Sequence[Sample]) -> Iterator[Compared]:
    """Every metric of every model beside the reference; the intervals of all differences hold together with `LEVEL`.

    A difference's interval is Student's, with the standard error that its resamples tell: where many are looked at together each bound
    lies so far out that of some hundred resamples none or one would lie beyond it.
    """
    each = (1 - LEVEL) / 2 / max(1, sum(len(sample.estimates) - 1 for sample in samples))
    for sample in samples:
        freedom = max(1, sample.units - 1)
        bound, power = (float(stdtrit(freedom, share)) for share in (1 - each, POWER))
        old = _own_interval(sample, 0)
        for place in range(1, len(sample.estimates)):
            change = sample.estimates[place] - sample.estimates[0]
            error = _standard_error(change, sample.drawn[place] - sample.drawn[0], sample.units, imagined=sample.imagined)
            difference = (change, change - bound * error, change + bound * error)
            yield Compared(
                sample.metric, place, _own_interval(sample, place), old, difference, smallest=(bound + power) * error, units=sample.units
            )


def _standard_error(change: float, drawn: np.ndarray, units: int, *, imagined: float = 0.0) -> float:
    """Standard error of a difference: resamples of U units vary by (U - 1) / U of what other units would, and those of one not at all."""
    if units < 2:
        return math.inf if change else 0.0
    variance = float(np.nanvar(drawn))  # a resample without a positive has no AUC
    return math.sqrt((variance * units + imagined / units) / (units - 1))


def _own_interval(sample: Sample, place: int) -> Interval:
    """Value of one model with its interval, which is everything where the units say too little."""
    value = sample.estimates[place]
    bounds = None
    if sample.units > 1:
        bounds = sample.interval(value, _standard_error(value, sample.drawn[place], sample.units), sample.units)
    low, high = bounds or (-math.inf, math.inf)
    return value, low, high
