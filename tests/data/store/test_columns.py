from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from recsys.data.store.columns import encode, entries, microseconds
from recsys.data.store.vocabulary import Vocabulary
from recsys.schema import Categorical, MultiCategorical, Numeric, Timestamp, Vector


def encoded(feature, values, vocabulary=None, time_unit="datetime"):
    return encode(feature, values, vocabulary=vocabulary, time_unit=time_unit)


def fitted(values):
    return Vocabulary.fit(pl.Series(values), rows=None, min_count=1)


def test_categories_become_their_index():
    assert encoded(Categorical("c", "user"), pl.Series(["y", None, "q"]), fitted(["x", "y", "y"])).tolist() == [2, 1, 1]


def test_booleans_are_zero_and_one():
    assert encoded(Categorical("c", "user"), pl.Series([True, False, None]), fitted([1, 1, 0])).tolist() == [2, 3, 1]


def test_hashed_categories_stay_below_their_table_size():
    index = encoded(Categorical("c", "user", buckets=3), pl.Series(range(100)))
    assert set(index.tolist()) == {2, 3, 4}


def test_lists_are_cut_and_padded_on_the_right():
    values = pl.Series([["a", "b", "c"], [], None, ["c"]])
    index = encoded(MultiCategorical("c", "item", max_len=2), values, fitted(["b", "b", "c"]))
    assert index.tolist() == [[1, 2], [0, 0], [0, 0], [3, 0]]
    assert index.dtype == np.int32


def test_missing_numbers_stay_missing():
    values = encoded(Numeric("n", "item", fill=7.0), pl.Series([1, None, 3]))
    np.testing.assert_array_equal(values, np.array([1, np.nan, 3], dtype=np.float32))
    assert values.dtype == np.float32


def test_vectors_from_lists_and_arrays_with_zeros_where_missing():
    lists = pl.Series([[1.0, 2.0], None, [3.0, 4.0]])
    for values in (lists, lists.cast(pl.Array(pl.Float64, 2))):
        assert encoded(Vector("v", "item"), values).tolist() == [[1, 2], [0, 0], [3, 4]]


def test_timestamps_are_whole_seconds():
    values = pl.Series([datetime(1970, 1, 1, 0, 1, 0, 999_999), datetime(1969, 12, 31, 23, 59, 59), None])
    assert encoded(Timestamp("t", "context"), values).tolist() == [60, -1, 0]


def test_integer_timestamps_count_in_the_time_unit():
    assert encoded(Timestamp("t", "context"), pl.Series([5_000, 61_500]), time_unit="ms").tolist() == [5, 61]


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        (pl.Series([date(1970, 1, 2)]), "datetime", 86_400_000_000),
        (pl.Series([datetime(1970, 1, 1, 1, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"), "datetime", 3_600_000_000),
        (pl.Series([datetime(1970, 1, 1, 0, 0, 1)], dtype=pl.Datetime("ns")), "datetime", 1_000_000),
        (pl.Series([3]), "s", 3_000_000),
        (pl.Series([3]), "ms", 3_000),
        (pl.Series([3]), "us", 3),
        (pl.Series([3], dtype=pl.Int16), "rank", 3),
    ],
)
def test_every_kind_of_time_in_microseconds(values, unit, expected):
    assert microseconds(values, unit).tolist() == [expected]


def test_entries_skip_empty_and_missing_lists():
    assert entries(pl.Series([[1, 2], [], None, [3]])).to_list() == [1, 2, 3]
