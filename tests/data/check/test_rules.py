"""Which raw types count as what, and which strings are broken."""

import polars as pl
import pytest

from recsys.data.check.rules import broken_text, category_checks, is_category, is_number


@pytest.mark.parametrize("dtype", [pl.String(), pl.Int8(), pl.UInt64(), pl.Boolean(), pl.Categorical(), pl.Enum(["a"]), pl.Null()])
def test_category_takes(dtype: pl.DataType):
    assert is_category(dtype)


@pytest.mark.parametrize("dtype", [pl.Float32(), pl.Date(), pl.Datetime(), pl.List(pl.String), pl.Binary()])
def test_category_refuses(dtype: pl.DataType):
    assert not is_category(dtype)


def test_number_takes_decimals_and_booleans_but_no_text():
    assert [is_number(dtype) for dtype in (pl.Decimal(10, 2), pl.Boolean(), pl.Float32(), pl.String())] == [True, True, True, False]


def test_broken_text_is_nul_or_more_than_a_megabyte():
    texts = ["a\0b", "x" * 1_000_001, "x" * 1_000_000, "\N{GRINNING FACE}", "", None]
    assert pl.DataFrame({"t": texts}).select(broken_text(pl.col("t")))["t"].to_list() == [True, True, False, False, False, None]


def test_category_checks_integers_beyond_int64():
    frame = pl.DataFrame({"code": pl.Series([2**63, 2**63 - 1], dtype=pl.UInt64)})
    (check,) = category_checks("code", frame.schema["code"])
    assert frame.select(check.bad)["code"].to_list() == [True, False]
    assert check.remedy == "rewrite the file with pl.col('code').cast(pl.String)"
