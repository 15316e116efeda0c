"""Counting, showing and setting aside faulty rows of four-row frames."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from recsys.data.check.table_check import count, row_fault, sound_rows, write_aside
from recsys.schema.raw import Check, Tally
from recsys.source.base import FILE, ROW

NEGATIVE = Check("n", "negative n", pl.col("n") < 0, "type this", pl.col("n"))
AGAIN = Check("n", "n that an earlier row has", ~pl.col("n").is_first_distinct(), "type that")


@pytest.fixture
def frame() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [-1, 2, -1, None], FILE: ["a.csv", "a.csv", "b.csv", "b.csv"], ROW: [0, 1, 0, 1]})


def test_count_takes_null_as_no_fault(frame: pl.LazyFrame):
    counts = count(frame, [NEGATIVE, Check("n", "large n", pl.col("n") > 9, "")], [])
    assert (counts.rows, counts.bad_rows, counts.broken) == (4, 2, ((NEGATIVE, 2),))


def test_count_counts_a_row_with_two_faults_once(frame: pl.LazyFrame):
    counts = count(frame, [NEGATIVE, AGAIN], [])
    assert (counts.bad_rows, [number for _, number in counts.broken]) == (2, [2, 1])


def test_tally_is_said_with_its_numbers_only_above_zero(frame: pl.LazyFrame):
    tallies = [Tally("{count} of {rows} are small", (pl.col("n") < 5).sum()), Tally("never", (pl.col("n") > 5).sum())]
    assert count(frame, [], tallies).notes == ("3 of 4 are small",)


def test_fault_names_files_rows_column_values_and_remedy(frame: pl.LazyFrame):
    fault = row_fault(frame, "interactions", NEGATIVE, 2, 4)
    assert fault.what == "negative n in 2 of 4 rows: -1, -1"
    assert fault.where == "a.csv, row 0; b.csv, row 0, column 'n'"
    assert fault.remedy == "type this"


def test_fault_names_table_and_row_where_files_are_unknown(frame: pl.LazyFrame):
    fault = row_fault(frame.select("n"), "users", NEGATIVE, 2, 4)
    assert fault.where == "users, rows 0, 2, column 'n'"


def test_fault_names_the_first_five_of_many():
    frame = pl.LazyFrame({"n": [-row for row in range(8)]})
    fault = row_fault(frame, "items", NEGATIVE, 7, 8)
    assert fault.what == "negative n in 7 of 8 rows: -1, -2, -3, -4, -5, ..."
    assert fault.where == "items, rows 1, 2, 3, 4, 5 (first 5), column 'n'"


def test_fault_shows_moments_as_text_and_cuts_long_values():
    frame = pl.LazyFrame({"t": [datetime(2090, 1, 2)], "s": ["x" * 100]})
    late = Check("t", "late", pl.lit(True), "", pl.col("t"))
    long = Check("s", "long", pl.lit(True), "", pl.col("s"))
    assert row_fault(frame, "items", late, 1, 1).what == "late in 1 of 1 rows: 2090-01-02 00:00:00"
    assert row_fault(frame, "items", long, 1, 1).what == "long in 1 of 1 rows: '" + "x" * 56 + "..."


def test_fault_that_shows_all_its_rows_says_no_more():
    fault = row_fault(pl.LazyFrame({"n": [-1] * 5}), "items", NEGATIVE, 5, 5)
    assert (fault.what, fault.where) == ("negative n in 5 of 5 rows: -1, -1, -1, -1, -1", "items, rows 0, 1, 2, 3, 4, column 'n'")


def test_without_keeps_rows_that_leave_a_check_open(frame: pl.LazyFrame):
    assert sound_rows(frame, [NEGATIVE]).collect()["n"].to_list() == [2, None]


def test_without_keeps_first_of_repeated_rows(frame: pl.LazyFrame):
    assert sound_rows(frame, [AGAIN]).collect()["n"].to_list() == [-1, 2, None]


def test_rows_aside_say_every_fault_they_have(frame: pl.LazyFrame, tmp_path: Path):
    path = tmp_path / "aside" / "interactions.parquet"
    write_aside(frame, [NEGATIVE, AGAIN], path)
    rows = pl.read_parquet(path)
    assert rows.select(FILE, ROW, "n").rows() == [("a.csv", 0, -1), ("b.csv", 0, -1)]
    assert rows["fault"].to_list() == ["n: negative n", "n: negative n; n: n that an earlier row has"]
    assert [file.name for file in path.parent.iterdir()] == ["interactions.parquet"]


def test_row_aside_repeats_a_row_that_stays(frame: pl.LazyFrame, tmp_path: Path):
    # Among the rows set aside it is the first of its kind; in the table it is not.
    write_aside(frame, [AGAIN], tmp_path / "a.parquet")
    assert pl.read_parquet(tmp_path / "a.parquet").select(ROW, FILE, "fault").rows() == [(0, "b.csv", "n: n that an earlier row has")]
