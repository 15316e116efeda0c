"""Formats of moments written as text."""

from datetime import datetime

import polars as pl
import pytest

from recsys.source.moments import ambiguous, moment_formats, moments

NOON = datetime(2024, 2, 13, 12, 5)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-13 12:05:00 UTC",
        "2024-02-13T12:05:00Z",
        "2024-02-13T14:05:00+02:00",
        "2024-02-13 07:05:00-0500",
        "2024-02-13T12:05",
        "2024-02-13 12:05:00.000",
        "13.02.2024 12:05",
        "13/02/2024 12:05:00",
        "02/13/2024 12:05 PM",
        "2024/02/13 12:05:00",
        "20240213T120500Z",
        "Tue, 13 Feb 2024 12:05:00 GMT",
        "Tue Feb 13 12:05:00 +0000 2024",
        "Feb 13, 2024 12:05",
        "13/Feb/2024:12:05:00 +0000",
    ],
)
def test_spelling_of_a_moment_is_recognised(text):
    texts = pl.Series("text", [text, None])
    formats = moment_formats(texts)
    assert texts.to_frame().select(moments(pl.col("text"), formats[0]))["text"].to_list() == [NOON, None]
    assert not ambiguous(texts, formats)


@pytest.mark.parametrize("texts", [["20240213"], ["13.02"], ["tomorrow"], ["2024-02-30"], ["2024-02-13", "n/a"], []])
def test_what_is_no_moment_has_no_format(texts):
    assert moment_formats(pl.Series(texts, dtype=pl.String)) == []


def test_month_and_day_are_told_apart_by_the_whole_column():
    months_first = pl.Series(["01/02/2024", "01/13/2024"])
    assert moment_formats(months_first) == ["%m/%d/%Y"]
    open_order = pl.Series(["01/02/2024", "03/04/2024"])
    assert ambiguous(open_order, moment_formats(open_order))
    same_day = pl.Series(["01/01/2024"])
    assert not ambiguous(same_day, moment_formats(same_day))
