"""Numeric: a number."""

import numpy as np
import polars as pl
import pytest

from recsys.schema import Numeric, Statistics

INF, NAN = float("inf"), float("nan")


def test_missing_numbers_stay_missing(encode):
    values = encode(Numeric("n", "item", fill=7.0), pl.Series([1, None, 3]))
    np.testing.assert_array_equal(values, np.array([1, np.nan, 3], dtype=np.float32))
    assert values.dtype == np.float32


def test_numbers_weigh_by_training_rows():
    # 10 three times, 40 once; 99 stands for no training row: mean 17.5, variance (3 * 7.5^2 + 22.5^2) / 4 = 168.75
    statistics, _ = Numeric("n", "user").fit(pl.Series([10, 40, 99]), np.array([3, 1, 0]))
    assert statistics == Statistics("int64", mean=pytest.approx(17.5), std=pytest.approx(168.75**0.5))


def test_logarithms_are_taken_before_mean_and_deviation():
    statistics, _ = Numeric("n", "context", log=True).fit(pl.Series([0.0, np.e - 1, -(np.e - 1)]), None)
    assert (statistics.mean, statistics.std) == (pytest.approx(0.0, abs=1e-7), pytest.approx((2 / 3) ** 0.5))


def test_missing_numbers_count_as_fill_or_not_at_all():
    values = pl.Series([4.0, None])
    assert Numeric("n", "user", fill=2.0).fit(values, np.array([1, 3]))[0].mean == pytest.approx(2.5)
    assert Numeric("n", "user").fit(values, np.array([1, 3]))[0].mean == pytest.approx(4.0)


def test_a_column_without_training_rows_keeps_the_defaults():
    assert Numeric("n", "user", quantiles=3).fit(pl.Series([4.0]), np.array([0]))[0] == Statistics("float32")


def test_quantile_boundaries_of_the_raw_value():
    # quarters of 1..8, each value that reaches its share first: 2, 4, 6
    statistics, _ = Numeric("n", "context", log=True, quantiles=4).fit(pl.Series(range(1, 9)), None)
    assert statistics.boundaries == (2.0, 4.0, 6.0)


def test_quantiles_weigh_by_training_rows():
    # half of the 10 rows are reached within the six 1s
    assert Numeric("n", "item", quantiles=2).fit(pl.Series([1, 2, 3]), np.array([6, 2, 2]))[0].boundaries == (1.0,)


def test_equal_boundaries_are_one():
    assert Numeric("n", "context", quantiles=4).fit(pl.Series([0, 0, 0, 5]), None)[0].boundaries == (0.0,)


def test_number_is_finite_and_fits_float32(broken):
    price = Numeric("price", "item")
    values = pl.Series([1.0, NAN, INF, -INF, 1e39, 3e38, None])
    assert broken(price, values) == {"missing number": [6], "number that is NaN, infinite or beyond float32": [1, 2, 3, 4]}


def test_number_may_be_missing_where_fill_stands_for_it(broken):
    assert broken(Numeric("price", "item", fill=0.0), pl.Series([1.0, None])) == {}


def test_number_outside_its_range_is_named_once(broken):
    price = Numeric("price", "item", low=0, high=1e6)
    assert broken(price, pl.Series([0.0, 1e6, -0.5, 1e30, NAN, INF, -INF])) == {
        "number that is NaN, infinite or beyond float32": [4, 5, 6],
        "number below low=0": [2],
        "number above high=1e+06": [3],
    }


def test_number_may_be_boolean_or_integer_but_not_text(broken):
    price = Numeric("price", "item", low=0)
    assert broken(price, pl.Series([True, False])) == {}
    assert broken(price, pl.Series([3, -3])) == {"number below low=0": [1]}
    assert (
        price.rule("s").type_remedy(pl.String())
        == "set data.source.types.price=float64, or rewrite the file with pl.col('price').cast(pl.Float64)"
    )


def test_number_with_one_value_is_mentioned(tally):
    assert tally(Numeric("price", "item"), pl.Series([2.0, 2.0, None])) == [1]
    assert tally(Numeric("price", "item"), pl.Series([2.0, 2.5])) == [0]


def test_raw_words_have_the_digits_of_a_float32():
    assert Numeric("n", "item").raw_words([float(np.float32(0.1)), NAN], None) == [0.1, None]


def test_a_table_holds_the_number_itself():
    columns = Numeric("n", "item", log=True).table_columns({"n": np.array([7.0, NAN], np.float32)}, Statistics("float32", mean=3.0))
    np.testing.assert_array_equal(columns, np.array([[7.0], [NAN]], np.float32))


def test_its_reading_is_ordered_with_missing_ones_last():
    (reading,) = Numeric("n", "item").readings(np.array([5.0, NAN, -1.0, 5.0]))
    np.testing.assert_array_equal(reading.numbers, [-1.0, 5.0, NAN])
    assert reading.codes.tolist() == [1, 2, 0, 1]


def test_a_card_says_what_is_made_of_the_number():
    assert Numeric("n", "item", log=True, quantiles=4).card_words(Statistics("float32")) == (
        "any finite number (log, standardised, 4 quantile buckets)",
        "missing: the training mean",
    )
    assert Numeric("n", "item", standardize=False, fill=2.5).card_words(Statistics("float32")) == ("any finite number", "missing: 2.5")


def test_numbers_that_float32_cannot_tell_apart_are_a_fault(broken):
    # Milliseconds of one minute: float32 has steps of 131,072 at 1.7e12.
    minute = pl.Series([1_704_067_200_000 + 1_000 * second for second in range(60)])
    assert set(broken(Numeric("n", "item"), minute)) == {"number that float32 cannot tell from the others"}
    assert broken(Numeric("n", "item"), minute - 1_704_067_200_000) == {}
    assert broken(Numeric("n", "item"), pl.Series([5.0, 5.0])) == {}
    assert broken(Numeric("n", "item"), pl.Series([0, 2_000_000_000])) == {}
