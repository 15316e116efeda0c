"""Models that were asked the same, compared by drawing again who asked, the same for all of them. U units, R models, S resamples.

What is lost or gained is then seen through the noise that all of them share: some users are easier than others for every model.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

LEVEL = 0.95
"""Of all intervals of differences together: where M differences are looked at, each has 1 - .05 / M (Bonferroni)."""
POWER = 0.8
"""Share of repetitions in which a difference of the smallest size that is told would be found."""

Interval = tuple[float, float, float]
"""A value, and the bounds around it."""


@dataclass(frozen=True)
class Sample:
    """One metric of all models.

    Attributes:
        metric: its name.
        estimates: of the reference, then of each other.
        drawn: [R, S], over the same resamples.
    """

    metric: str
    estimates: tuple[float, ...]
    drawn: np.ndarray


@dataclass(frozen=True)
class Compared:
    """One metric of a model beside the reference.

    Attributes:
        metric: its name.
        place: of the model among those that are compared, the reference being 0.
        new, old: the model's value and the reference's, each with an interval of its own of 95 % (percentiles).
        difference: new minus old; its interval is wide enough for all differences together.
        smallest: difference that so many units would have shown four times out of five.
    """

    metric: str
    place: int
    new: Interval
    old: Interval
    difference: Interval
    smallest: float


def drawn_again(metric: str, measure: Callable[[np.ndarray], Sequence[float]], units: int, resamples: int) -> Sample:
    """Estimates and resamples of what `measure` makes of copies [U] int64 of each unit: a value for the reference and each model."""
    generator = np.random.default_rng(0)
    drawn = [measure(np.bincount(generator.integers(units, size=units), minlength=units)) for _ in range(resamples)]
    return Sample(metric, tuple(measure(np.ones(units, np.int64))), np.array(drawn).T)


def compared(samples: Sequence[Sample]) -> Iterator[Compared]:
    """Every metric of every model beside the reference; the intervals of all differences hold together with `LEVEL`.

    A difference's interval is normal, with the standard deviation of its resamples: where many are looked at together each bound lies
    so far out that of some hundred resamples none or one would lie beyond it.
    """
    each = (1 - LEVEL) / 2 / max(1, number_of_differences(samples))
    bound, found = NormalDist().inv_cdf(1 - each), NormalDist().inv_cdf(POWER)
    for sample in samples:
        old = _interval(sample.estimates[0], sample.drawn[0])
        for place in range(1, len(sample.estimates)):
            change = sample.estimates[place] - sample.estimates[0]
            error = float(np.nanstd(sample.drawn[place] - sample.drawn[0]))  # a resample without a positive has no AUC
            difference = (change, change - bound * error, change + bound * error)
            new = _interval(sample.estimates[place], sample.drawn[place])
            yield Compared(sample.metric, place, new, old, difference, smallest=(bound + found) * error)


def number_of_differences(samples: Sequence[Sample]) -> int:
    """How many are looked at together."""
    return sum(len(sample.estimates) - 1 for sample in samples)


def _interval(value: float, drawn: np.ndarray) -> Interval:
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return value, low, high
