"""Intervals against tables and theory, and how often they hold a truth that is known (at length: `python -m benchmarks coverage`)."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, ttest_1samp

from recsys.metric.interval import (
    difference_intervals,
    interval_of_mean,
    interval_of_ratio,
    interval_of_share,
    mean_intervals,
    share_intervals,
)

REPEATS = 2_000
"""A coverage of .95 is then seen within .005 standard deviations: three of them are .015."""


@pytest.mark.parametrize("hits", [0, 1, 8, 20])
def test_a_share_of_users_has_the_interval_of_wilson(hits):
    values = np.zeros((20, 1))
    values[:hits] = 1
    low, high = share_intervals(values)
    expected = binomtest(hits, 20).proportion_ci(0.95, method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    error = values.std(ddof=1) / np.sqrt(20)
    assert interval_of_mean(hits / 20, error, 20) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_mean_has_the_interval_of_student():
    values = np.random.default_rng(0).normal(3, 2, 30)
    low, high = mean_intervals(values[:, None])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_odds_and_ratios_stay_in_their_range():
    # log odds 0 and 1.3863, errors .05 / .25 and .05 / .16, Student's 2.0930 of 20 units
    assert interval_of_share(0.5, 0.05, 20) == pytest.approx((0.39684, 0.60316), abs=5e-5)
    assert interval_of_share(0.8, 0.05, 20) == pytest.approx((0.67533, 0.88498), abs=5e-5)
    assert interval_of_ratio(2.0, 0.5, 20) == pytest.approx((2 / 1.68745, 2 * 1.68745), rel=1e-4)  # exp(2.0930 * .25)
    assert interval_of_share(1.0, 0.0, 20) is interval_of_share(0.0, 0.0, 20) is interval_of_ratio(0.0, 0.0, 20) is None


def test_a_column_does_not_depend_on_the_others():
    values = np.random.default_rng(1).random((500, 3)) ** 4
    for interval in (share_intervals, mean_intervals, difference_intervals):
        both, one = interval(values), interval(values[:, 1:2].copy())
        assert [bound[1] for bound in both] == [bound[0] for bound in one]


def test_models_that_never_differ_may_yet():
    low, high = difference_intervals(np.zeros((40, 1)))
    assert high[0] == -low[0] == pytest.approx(2.0227 / np.sqrt(40 * 39), rel=1e-4)


@pytest.mark.parametrize(("rate", "users"), [(0.08, 20), (0.02, 20), (0.3, 50), (0.02, 200), (0.08, 1_000)])
def test_intervals_of_hit_rates_hold_the_truth(rate, users):
    hits = np.arange(users + 1)
    low, high = share_intervals((np.arange(users)[:, None] < hits).astype(np.float64))  # a column for each number of hits
    held_by = (low <= rate) & (rate <= high)
    assert 0.92 < binom.pmf(hits, users, rate)[held_by].sum() < 0.99


@pytest.mark.parametrize("users", [20, 50, 200, 1_000])
def test_intervals_of_reciprocal_ranks_hold_the_truth(users):
    place = np.arange(1, 21)
    truth = 0.15 * (1 / place).mean()  # a hit for 15 of 100 users, at any of 20 places

    def draw(rng):
        return (rng.random((users, REPEATS)) < 0.15) / rng.integers(1, 21, (users, REPEATS))

    assert 0.93 < held(draw, truth, share_intervals) < 0.995
    assert held(draw, truth, mean_intervals) < (0.9 if users <= 50 else 0.96)  # Student's alone is too short


@pytest.mark.parametrize("users", [20, 200, 1_000])
def test_intervals_of_differences_hold_the_truth(users):
    def draw(rng):  # one user of ten hits with the one model alone, one of twenty with the other
        return rng.choice([1.0, -1.0, 0.0], (users, REPEATS), p=[0.1, 0.05, 0.85])

    assert 0.93 < held(draw, 0.05, difference_intervals) < 0.99


def held(draw, truth, interval):
    """Share of REPEATS samples, one a column, whose interval holds the truth."""
    low, high = interval(draw(np.random.default_rng(3)).astype(np.float64))
    return ((low <= truth) & (truth <= high)).mean()
