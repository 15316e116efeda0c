"""Timestamp: a moment."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from recsys.schema import Statistics, Timestamp
from recsys.schema.kind.timestamp import microseconds, raw_moments


def test_timestamps_are_whole_seconds(encode):
    values = pl.Series([datetime(1970, 1, 1, 0, 1, 0, 999_999), datetime(1969, 12, 31, 23, 59, 59), None])
    assert encode(Timestamp("t", "context"), values).tolist() == [60, -1, 0]


def test_integer_timestamps_count_in_the_time_unit(encode):
    assert encode(Timestamp("t", "context"), pl.Series([5_000, 61_500]), time_unit="ms").tolist() == [5, 61]


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        (pl.Series([date(1970, 1, 2)]), "datetime", 86_400_000_000),
        (pl.Series([datetime(1970, 1, 1, 1, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"), "datetime", 3_600_000_000),
        (pl.Series([datetime(1970, 1, 1, 0, 0, 1)], dtype=pl.Datetime("ns")), "datetime", 1_000_000),
        (pl.Series([3]), "s", 3_000_000),
        (pl.Series([3]), "ms", 3_000),
        (pl.Series([3]), "us", 3),
        (pl.Series([3_999]), "ns", 3),
        (pl.Series([0.25]), "s", 250_000),
        (pl.Series([19700102]), "YYYYMMDD", 86_400_000_000),
        (pl.Series([19700101000001]), "YYYYMMDDHHMMSS", 1_000_000),
        (pl.Series([19700199]), "YYYYMMDD", 0),  # no such day
        (pl.Series([3], dtype=pl.Int16), "rank", 3),
    ],
)
def test_every_kind_of_time_in_microseconds(values, unit, expected):
    assert microseconds(values, unit).tolist() == [expected]


def test_timestamp_is_a_moment_or_an_integer_in_the_unit_of_time(broken):
    signup = Timestamp("signup", "user")
    assert broken(signup, pl.Series([date(1960, 1, 1), None])) == {"missing time": [1]}
    assert signup.rule("s").type_remedy(pl.Int64()) is None
    assert signup.rule("s").type_remedy(pl.Date()) is None
    assert signup.rule("rank").type_remedy(pl.Int64()).startswith("set unit of feature 'signup' in data.features to one of s, ms,")
    assert Timestamp("signup", "user", unit="ms").rule("rank").type_remedy(pl.Int64()) is None
    assert signup.rule("s").type_remedy(pl.String()).startswith("set data.source.types.signup=datetime")


def test_moments_have_no_statistics_but_their_type():
    assert Timestamp("t", "user").fit(pl.Series([1]), np.array([1])) == (Statistics("int64"), None)
    assert Timestamp("t", "user").fit(pl.Series([1]), np.array([1]), time_unit="ms")[0].unit == "ms"
    assert Timestamp("t", "user", unit="ns").fit(pl.Series([1]), np.array([1]), time_unit="ms")[0].unit == "ns"
    assert Timestamp("t", "user").fit(pl.Series([date(2024, 1, 1)]), np.array([1]), time_unit="ms")[0].unit == ""


def test_number_of_another_unit_is_a_fault(broken):
    signup = Timestamp("signup", "user", unit="YYYYMMDD")
    assert broken(signup, pl.Series([19_600_101, 1_700_000_000, 20_230_229])) == {"number that is no moment in YYYYMMDD": [1, 2]}


@pytest.mark.parametrize(("unit", "raw"), [("", 951_782_400), ("ms", 951_782_400_000), ("YYYYMMDD", 20_000_229)])
def test_raw_moments_are_in_the_unit_of_the_column(unit, raw):
    assert raw_moments(np.array([951_782_400]), unit).tolist() == [raw]  # 2000-02-29


def test_raw_words_are_a_date_and_a_minute():
    assert Timestamp("t", "user").raw_words([86_400 + 3_661], None) == ["1970-01-02 01:01"]


def test_a_table_holds_hour_and_weekday():
    # 1970-01-02, a day after the first, 05:00; and the hour before 1970
    columns = Timestamp("t", "user").table_columns({"t": np.array([86_400 + 5 * 3_600, -3_600])}, Statistics("int64"))
    assert columns.tolist() == [[5, 1], [23, 6]]
    assert columns.dtype == np.float32


def test_its_reading_is_ordered():
    (reading,) = Timestamp("t", "user").readings(np.array([9, 3, 9]))
    assert (reading.codes.tolist(), reading.numbers.tolist()) == ([1, 0, 1], [3, 9])
