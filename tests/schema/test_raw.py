"""Raw columns: types that count as what, values that are no category, and lists laid out in rows."""

import numpy as np
import polars as pl
import pytest

from recsys.schema.raw import broken_text, category_checks, entries, is_category, is_number, list_value_type, pad, raw_type


@pytest.mark.parametrize("dtype", [pl.String(), pl.Int8(), pl.UInt64(), pl.Boolean(), pl.Categorical(), pl.Enum(["a"]), pl.Null()])
def test_category_takes(dtype: pl.DataType):
    assert is_category(dtype)


@pytest.mark.parametrize("dtype", [pl.Float32(), pl.Date(), pl.Datetime(), pl.List(pl.String), pl.Binary()])
def test_category_refuses(dtype: pl.DataType):
    assert not is_category(dtype)


def test_number_takes_decimals_and_booleans_but_no_text():
    assert [is_number(dtype) for dtype in (pl.Decimal(10, 2), pl.Boolean(), pl.Float32(), pl.String())] == [True, True, True, False]


def test_lists_and_arrays_have_a_value_type():
    assert [list_value_type(dtype) for dtype in (pl.List(pl.Int8()), pl.Array(pl.Float32(), 3), pl.String())] == [
        pl.Int8(),
        pl.Float32(),
        None,
    ]


def test_entries_skip_empty_and_missing_lists():
    assert entries(pl.Series([[1, 2], [], None, [3]])).to_list() == [1, 2, 3]


def test_entries_stand_on_the_left_of_their_row():
    lists = pl.Series([[1, 2], [], None, [3]])
    assert pad(lists, 2, np.array([5, 6, 7]), 0).tolist() == [[5, 6], [0, 0], [0, 0], [7, 0]]


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pl.Int16(), "int64"),
        (pl.Datetime(), "int64"),
        (pl.Float64(), "float32"),
        (pl.Decimal(10, 2), "float32"),
        (pl.Boolean(), "bool"),
        (pl.Enum(["a"]), "string"),
        (pl.List(pl.String), "string"),
        (pl.Array(pl.Float64, 3), "float32"),
    ],
)
def test_raw_type(dtype: pl.DataType, name: str):
    assert raw_type(dtype) == name


def test_broken_text_is_nul_or_more_than_a_megabyte():
    texts = ["a\0b", "x" * 1_000_001, "x" * 1_000_000, "\N{GRINNING FACE}", "", None]
    assert pl.DataFrame({"t": texts}).select(broken_text(pl.col("t")))["t"].to_list() == [True, True, False, False, False, None]


def test_category_checks_integers_beyond_int64():
    frame = pl.DataFrame({"code": pl.Series([2**63, 2**63 - 1], dtype=pl.UInt64)})
    (check,) = category_checks("code", frame.schema["code"])
    assert frame.select(check.bad)["code"].to_list() == [True, False]
    assert check.remedy == "rewrite the file with pl.col('code').cast(pl.String)"
