"""Which strings and integers are no category."""

import polars as pl

from recsys.schema.rule import broken_text, category_checks


def test_broken_text_is_nul_or_more_than_a_megabyte():
    texts = ["a\0b", "x" * 1_000_001, "x" * 1_000_000, "\N{GRINNING FACE}", "", None]
    assert pl.DataFrame({"t": texts}).select(broken_text(pl.col("t")))["t"].to_list() == [True, True, False, False, False, None]


def test_category_checks_integers_beyond_int64():
    frame = pl.DataFrame({"code": pl.Series([2**63, 2**63 - 1], dtype=pl.UInt64)})
    (check,) = category_checks("code", frame.schema["code"])
    assert frame.select(check.bad)["code"].to_list() == [True, False]
    assert check.remedy == "rewrite the file with pl.col('code').cast(pl.String)"
