import numpy as np
import polars as pl
import pytest

from recsys.data.store.statistics import fit
from recsys.schema import Categorical, MultiCategorical, Numeric, Statistics, Timestamp, Vector


def test_numbers_weigh_by_training_rows():
    # 10 three times, 40 once; 99 stands for no training row: mean 17.5, variance (3 * 7.5^2 + 22.5^2) / 4 = 168.75
    statistics, _ = fit(Numeric("n", "user"), pl.Series([10, 40, 99]), np.array([3, 1, 0]))
    assert statistics == Statistics("int64", mean=pytest.approx(17.5), std=pytest.approx(168.75**0.5))


def test_logarithms_are_taken_before_mean_and_deviation():
    statistics, _ = fit(Numeric("n", "context", log=True), pl.Series([0.0, np.e - 1, -(np.e - 1)]), None)
    assert (statistics.mean, statistics.std) == (pytest.approx(0.0, abs=1e-7), pytest.approx((2 / 3) ** 0.5))


def test_missing_numbers_count_as_fill_or_not_at_all():
    values = pl.Series([4.0, None])
    assert fit(Numeric("n", "user", fill=2.0), values, np.array([1, 3]))[0].mean == pytest.approx(2.5)
    assert fit(Numeric("n", "user"), values, np.array([1, 3]))[0].mean == pytest.approx(4.0)


def test_a_column_without_training_rows_keeps_the_defaults():
    assert fit(Numeric("n", "user", quantiles=3), pl.Series([4.0]), np.array([0]))[0] == Statistics("float32")


def test_quantile_boundaries_of_the_raw_value():
    # quarters of 1..8, each value that reaches its share first: 2, 4, 6
    statistics, _ = fit(Numeric("n", "context", log=True, quantiles=4), pl.Series(range(1, 9)), None)
    assert statistics.boundaries == (2.0, 4.0, 6.0)


def test_quantiles_weigh_by_training_rows():
    # half of the 10 rows are reached within the six 1s
    assert fit(Numeric("n", "item", quantiles=2), pl.Series([1, 2, 3]), np.array([6, 2, 2]))[0].boundaries == (1.0,)


def test_equal_boundaries_are_one():
    assert fit(Numeric("n", "context", quantiles=4), pl.Series([0, 0, 0, 5]), None)[0].boundaries == (0.0,)


def test_vocabulary_of_a_category():
    statistics, known = fit(Categorical("c", "user", min_count=2), pl.Series(["x", "y", "z"]), np.array([2, 1, 5]))
    assert known.values.to_list() == [None, None, "z", "x"]
    assert statistics == Statistics("string", size=4)


def test_hashed_categories_have_a_size_and_no_vocabulary():
    assert fit(Categorical("c", "user", buckets=10), pl.Series([True]), np.array([1])) == (Statistics("bool", size=12), None)


def test_list_entries_weigh_as_their_row_does_up_to_the_cut():
    lists = pl.Series([["a", "b", "cut"], [], None, ["b"]])
    statistics, known = fit(MultiCategorical("c", "item", max_len=2), lists, np.array([4, 9, 9, 1]))
    assert known.values.to_list() == [None, None, "b", "a"]
    assert known.counts.to_list() == [0, 0, 5, 4]
    assert statistics.dtype == "string"


def test_vectors_have_their_width_and_moments_no_statistics():
    assert fit(Vector("v", "item"), pl.Series([[1.0, 2.0, 3.0]]), np.array([1])) == (Statistics("float32", size=3), None)
    assert fit(Timestamp("t", "user"), pl.Series([1]), np.array([1])) == (Statistics("int64"), None)
