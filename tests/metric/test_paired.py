"""Differences between models: who is asked decides together, and many looks make wide intervals."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from recsys.metric import paired
from recsys.metric.interval import interval_of_mean
from recsys.metric.paired import comparisons

rng = np.random.default_rng(7)
MANY = 1_000_000
"""Units, of which Student's distribution is the normal one."""
SPREAD = np.stack([np.zeros(4_000), rng.normal(0, 0.01, 4_000)])
"""Resamples of a reference that never moves, and of a model with a standard error of 0.01."""


def sample(metric, estimates, drawn, units):
    """A sample whose models' own values are means over users."""
    return paired.Sample(metric, estimates, drawn, units, interval=interval_of_mean)


def drawn_again(measures, units, resamples, *, bearing, imagined=None):
    """Samples of such metrics."""
    return paired.drawn_again(measures, units, resamples, bearing=bearing, interval=lambda _: interval_of_mean, imagined=imagined)


def means(*values):
    """Measures the mean of each model's values over the drawn units."""
    return lambda copies: tuple(float(copies @ each) / len(each) for each in values)


def test_the_interval_of_many_units_is_that_of_the_normal_distribution():
    (one,) = comparisons([sample("recall@20", (0.1, 0.12), SPREAD, MANY)])
    assert one.difference == pytest.approx((0.02, 0.02 - 1.96 * 0.01, 0.02 + 1.96 * 0.01), abs=4e-4)


def test_intervals_of_differences_widen_with_their_number_alone():
    alone, *_ = comparisons([sample("a", (0.0, 0.0), SPREAD, MANY)])
    among, *_ = comparisons([sample("a", (0.0, 0.0), SPREAD, MANY)] * 5)
    assert among.difference[2] == pytest.approx(2.576 / 1.96 * alone.difference[2], rel=1e-3)  # 99 % each, so 95 % together
    assert among.new == alone.new


def test_every_model_is_a_look_of_its_own():
    drawn = np.concatenate([SPREAD, SPREAD[1:], SPREAD[1:]])
    found = list(comparisons([sample("a", (0.0, 0.1, 0.2, 0.3), drawn, MANY)] * 2))
    assert [(one.place, one.difference[0]) for one in found[:3]] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert found[0].difference[2] - 0.1 == pytest.approx(2.638 * 0.01, rel=0.03)  # 1 - .05 / 12 of a normal distribution


def test_the_smallest_difference_is_found_four_times_out_of_five():
    (one,) = comparisons([sample("a", (0.0, 0.0), SPREAD, MANY)])
    assert one.smallest == pytest.approx((1.96 + 0.8416) * 0.01, rel=0.03)


def test_the_standard_error_of_a_paired_mean_is_that_of_its_differences():
    easy = rng.random(500)  # what users share is no noise
    old, new = easy, easy + rng.normal(0.01, 0.05, 500)
    (one,) = comparisons(drawn_again({"a": means(old, new)}, 500, 1_000, bearing=500))
    change, error = (new - old).mean(), (new - old).std(ddof=1) / np.sqrt(500)
    assert one.difference == pytest.approx((change, change - 1.96 * error, change + 1.96 * error), abs=4e-4)
    assert one.new[2] - one.new[1] > 4 * (one.difference[2] - one.difference[1])


def test_a_model_is_as_good_as_itself():
    values = rng.random(50)
    (one,) = comparisons(drawn_again({"a": means(values, values)}, 50, 100, bearing=50))
    assert one.difference == (0, 0, 0)


def test_a_resample_without_a_value_does_not_count():
    drawn = np.array([[0.5, np.nan, 0.5, 0.5], [0.6, np.nan, 0.7, 0.8]])
    (one,) = comparisons([sample("a", (0.5, 0.7), drawn, MANY)])
    error = np.std([0.1, 0.2, 0.3])
    assert one.difference == pytest.approx((0.2, 0.2 - 1.96 * error, 0.2 + 1.96 * error), abs=1e-4)


def test_few_units_have_the_interval_of_a_paired_t_test():
    old, new = rng.random(12), rng.random(12)
    (one,) = comparisons(drawn_again({"a": means(old, new)}, 12, 20_000, bearing=12))
    interval = ttest_rel(new, old).confidence_interval(0.95)
    assert one.difference[1:] == pytest.approx((interval.low, interval.high), abs=0.01)  # 20,000 resamples: the width within 1 %


@pytest.mark.parametrize(("units", "sign"), [(19, 0), (20, 1)])
def test_fewer_than_twenty_units_tell_nothing(units, sign):
    gains = np.linspace(0.4, 0.5, units)
    (one,) = comparisons(drawn_again({"a": means(np.zeros(units), gains)}, units, 200, bearing=units))
    assert (one.sign, one.few) == (sign, units < 20)
    assert one.difference[1] > 0  # the interval alone would say more


def test_a_single_unit_has_no_bounds():
    gain, nothing = comparisons(drawn_again({"a": means([0.0], [1.0]), "b": means([1.0], [1.0])}, 1, 10, bearing=1))
    assert (gain.difference, gain.smallest, gain.sign) == ((1.0, -np.inf, np.inf), np.inf, 0)
    assert nothing.difference == (0, 0, 0)


@pytest.mark.parametrize("units", [20, 30, 200])
def test_chance_is_significant_in_at_most_5_of_100_comparisons(units):
    significant = 0
    for _ in range(200):
        old, new = rng.binomial(3, 0.3, (2, units)) / 3  # recall of users with three items, who are the same to both
        (one,) = comparisons(drawn_again({"a": means(old, new)}, units, 100, bearing=units))
        significant += one.sign != 0
    assert significant <= 20  # 10 are expected, and 100 resamples add 1; 3 standard deviations above are 20


def test_all_metrics_are_measured_on_the_same_draws():
    asked = []
    measure = lambda copies: asked.append(copies.tolist()) or (0.0, 0.0)  # noqa: E731
    drawn_again({"a": measure, "b": measure}, 5, 3, bearing=5)
    assert asked[0:6:2] == asked[1:6:2]
    assert len({tuple(copies) for copies in asked[0:6:2]}) == 3
    assert asked[6:] == [[1] * 5] * 2


def test_users_of_whom_one_differs_tell_nothing():
    new = np.zeros(100)
    new[0] = 1.0
    for imagined, half in ((0.0, 1.984 * 0.01), (1.0, 1.984 * np.sqrt(0.99 + 1) / np.sqrt(100 * 99))):
        (one,) = comparisons(drawn_again({"a": means(np.zeros(100), new)}, 100, 4_000, bearing=100, imagined={"a": imagined}))
        assert one.difference[2] - 0.01 == pytest.approx(half, rel=0.05)
    assert one.difference[1] < 0 < one.difference[2]
