"""The reliability curve on rows that can be counted by hand."""

import pytest
import torch
from scipy.stats import binomtest

from recsys.metric.interval import wilson
from recsys.metric.reliability import reliability


def curve(probability, label, **settings):
    return reliability(torch.tensor(probability, dtype=torch.float64), torch.tensor(label), **settings)


def shape(found):
    return [(each["rows"], pytest.approx(each["predicted"]), pytest.approx(each["actual"])) for each in found["bins"]]


def test_bins_hold_equal_shares_of_the_rows_in_order_of_prediction():
    found = curve([0.9, 0.1, 0.3, 0.2, 0.8, 0.4], [1, 0, 1, 0, 0, 0], bins=3)
    assert shape(found) == [(2, 0.15, 0.0), (2, 0.35, 0.5), (2, 0.85, 0.5)]
    assert (found["rows"], found["positives"]) == (6, 2)


def test_equal_predictions_stay_in_one_bin():
    # the tie of four begins in the first of three bins and reaches into the last; 0.9 has five rows below it, of six
    found = curve([0.1, 0.5, 0.5, 0.5, 0.5, 0.9], [0, 1, 1, 0, 0, 1], bins=3)
    assert shape(found) == [(5, 2.1 / 5, 2 / 5), (1, 0.9, 1.0)]


def test_all_predictions_equal_make_one_bin():
    found = curve([0.25] * 8, [1, 0, 0, 0, 0, 0, 0, 1])
    assert shape(found) == [(8, 0.25, 0.25)]
    assert (found["smallest"], found["largest"]) == (0.25, 0.25)
    assert found["histogram"][0] == 8


def test_fewer_rows_than_bins_have_one_each():
    assert shape(curve([0.6, 0.2, 0.4], [1, 0, 1], bins=10)) == [(1, 0.2, 0.0), (1, 0.4, 1.0), (1, 0.6, 1.0)]


def test_ten_bins_unless_told_otherwise():
    found = curve([number / 1000 for number in range(1000)], [0] * 1000)
    assert [each["rows"] for each in found["bins"]] == [100] * 10


def test_no_rows_have_no_curve():
    assert curve([], []) is None


def test_histogram_counts_columns_of_equal_width():
    # width 0.1: the ends belong to the first and the last of 30 columns; (0.45 - 0) / 0.9 * 30 = 15
    found = curve([0.0, 0.0, 0.45, 0.9], [0, 0, 0, 1])
    assert {place: rows for place, rows in enumerate(found["histogram"]) if rows} == {0: 2, 15: 1, 29: 1}
    assert len(found["histogram"]) == 30


def test_bins_carry_the_interval_of_their_share():
    (found,) = curve([0.3] * 10, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0])["bins"]
    assert (found["low"], found["high"]) == pytest.approx((0.10779, 0.60322), abs=5e-6)  # Wilson's interval of 3 in 10, as tables have it


@pytest.mark.parametrize(("positives", "rows"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (932, 12_493)])
def test_wilson_agrees_with_scipy(positives, rows):
    expected = binomtest(positives, rows).proportion_ci(0.95, method="wilson")
    assert wilson(positives / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)
