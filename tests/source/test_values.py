"""Types of texts, and values that a type cannot hold."""

import polars as pl
import pytest

from recsys.source.values import converted, mapped, split_list, text_type


def read(values, name, dtype=None, **options):
    series = pl.Series("value", values, dtype=dtype)
    return series.to_frame().select(converted(pl.col("value"), series.dtype, name, **options))["value"].to_list()


@pytest.mark.parametrize(
    ("texts", "decimal", "name"),
    [
        (["1", "-20", None], ".", "int64"),
        (["007", "12"], ".", "string"),
        (["99999999999999999999"], ".", "string"),
        (["1.5", "2"], ".", "float64"),
        (["9,00", "1.299,99"], ",", "float64"),
        (["9,00"], ".", "string"),
        (["True", "FALSE"], ".", "bool"),
        (["Y", "N"], ".", "string"),
        (["2024-01-01"], ".", "datetime"),
        (["a", "1"], ".", "string"),
        ([None], ".", "string"),
    ],
)
def test_type_of_texts(texts, decimal, name):
    assert text_type(pl.Series(texts, dtype=pl.String), decimal) == name


def test_float_that_is_no_exact_integer_becomes_null_and_not_another_id():
    big = 2.0**53 + 2
    assert read([17850.0, 0.5, big, float("nan"), None], "int64") == [17850, None, None, None, None]
    assert read([2.0**24 + 2], "int64", pl.Float32) == [None]
    assert read([17850.0, 0.5], "string") == ["17850", "0.5"]


def test_decimal_without_a_fraction_is_an_integer():
    assert read(["7", "1234567890123456789"], "int64", pl.String) == [7, 1234567890123456789]
    decimals = pl.Series("value", ["7", "1234567890123456789"]).cast(pl.Decimal(38, 0))
    assert decimals.to_frame().select(converted(pl.col("value"), decimals.dtype, "int64"))["value"].to_list() == [7, 1234567890123456789]


def test_guess_reads_what_is_plainly_so_and_a_named_type_more():
    assert read(["7", "007", "7.0", "x"], "int64", loose=False) == [7, None, None, None]
    assert read(["7", "007", "7.0", "x"], "int64") == [7, 7, 7, None]
    assert read(["true", "Yes", "n", "x"], "bool", loose=False) == [True, None, None, None]
    assert read(["true", "Yes", "n", "x"], "bool") == [True, True, False, None]


def test_decimal_comma_and_points_between_groups():
    assert read(["9,00", "1.299,99", "-5", "1.5"], "float64", decimal=",") == [9.0, 1299.99, -5.0, None]


@pytest.mark.parametrize(
    ("values", "numbers", "expected"),
    [
        (["Y", "N", "maybe", None], {"Y": 1, "N": 0}, [1, 0, None, None]),
        ([1, 2, 3], {1: 0, 2: 1}, [0, 1, None]),
        ([1.0, 2.0], {1: 0, 2: 1}, [0, 1]),
        ([1, None], {1: 1, None: 0}, [1, 0]),
        ([True, False], {True: 0, False: 1}, [0, 1]),
    ],
)
def test_values_stand_for_numbers(values, numbers, expected):
    series = pl.Series("value", values)
    assert series.to_frame().select(mapped(pl.col("value"), series.dtype, numbers))["value"].to_list() == expected


@pytest.mark.parametrize(
    ("text", "separator", "values"),
    [
        ("Drama| Comedy |", "|", ["Drama", "Comedy"]),
        ("['a', 'b']", "[]", ["a", "b"]),
        ('["it\'s", "x, y"]', "[]", ["it's", "x, y"]),
        ("[1, 2.5]", "[]", ["1", "2.5"]),
        ("[1 2]", "[]", ["1", "2"]),
        ("[]", "[]", []),
        (None, "[]", None),
        (None, "|", None),
    ],
)
def test_lists_in_texts(text, separator, values):
    frame = pl.DataFrame({"text": pl.Series([text], dtype=pl.String)})
    assert frame.select(split_list(pl.col("text"), separator))["text"].to_list() == [values]
