"""One table's pass over small parquet and CSV files: what cannot be read is named, what can be read is still checked."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from recsys.data.check.column_rules import table_rules
from recsys.data.check.table_check import CheckedTable, check_table
from recsys.schema import Numeric, Schema
from recsys.source.base import concat_rows, scan


@pytest.fixture
def people() -> Schema:
    return Schema("user_id", "item_id", features=(Numeric("age", "user"),))


def checked(schema: Schema, files: Sequence[Path]) -> CheckedTable:
    parts = [scan(file) for file in files]
    return check_table("users", concat_rows(parts), table_rules(schema, "users", ["users"], 0), files=files, parts=parts)


def test_sound_table_is_handed_on_as_it_came(people: Schema, tmp_path: Path):
    pl.DataFrame({"user_id": [1, 2], "age": [30, 40], "x": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    frame = scan(tmp_path / "a.parquet")
    table = check_table("users", frame, table_rules(people, "users", ["users"], 0), files=[tmp_path / "a.parquet"], parts=[frame])
    assert table.frame is frame
    assert (table.faults, table.row_faults(), table.counts.rows) == ((), [], 2)
    assert table.unsummed == (str(tmp_path / "a.parquet"),)


def test_truncated_file_is_named_and_rows_of_the_others_are_checked(people: Schema, tmp_path: Path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file in files:
        pl.DataFrame({"user_id": [1, -2], "age": [30, 40]}).write_parquet(file)
    files[0].write_bytes(files[0].read_bytes()[:100])
    table = checked(people, files)
    assert [fault.where for fault in table.faults] == [str(files[0])]
    assert [fault.where for fault in table.row_faults()] == [f"{files[1]}, row 1, column 'user_id'"]


def test_column_of_two_types_is_named_and_the_other_columns_are_checked(people: Schema, tmp_path: Path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    pl.DataFrame({"user_id": [1], "age": [30]}).write_parquet(files[0])
    pl.DataFrame({"user_id": ["2", "3"], "age": [40, None]}).write_parquet(files[1])
    table = checked(people, files)
    assert [fault.what for fault in table.faults] == [f"user id 'user_id' has 2 types: Int64 in {files[0]}; String in {files[1]}"]
    assert [fault.where for fault in table.row_faults()] == [f"{files[1]}, row 1, column 'age'"]


def test_column_of_two_types_has_no_row_faults_of_their_common_type(people: Schema, tmp_path: Path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    pl.DataFrame({"user_id": [1], "age": [30]}).write_parquet(files[0])
    pl.DataFrame({"user_id": [7.5], "age": [40]}).write_parquet(files[1])
    table = checked(people, files)
    assert len(table.faults) == 1
    assert table.row_faults() == []


def test_column_nobody_reads_may_have_times_with_and_without_zone(people: Schema, tmp_path: Path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file, zone in zip(files, (None, UTC)):
        pl.DataFrame({"user_id": [1], "age": [30], "seen": [datetime(2024, 1, 1, tzinfo=zone)]}).write_parquet(file)
    table = checked(people, files)
    assert (table.faults, table.counts.rows) == ((), 2)
    assert table.frame.collect()["age"].to_list() == [30, 30]


def test_column_missing_in_one_file_is_no_fault_of_its_rows(people: Schema, tmp_path: Path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    pl.DataFrame({"user_id": [1], "age": [30]}).write_parquet(files[0])
    pl.DataFrame({"user_id": [2]}).write_parquet(files[1])
    table = checked(people, files)
    assert [(fault.what, fault.where.split(",")[0]) for fault in table.faults] == [("no column 'age'", str(files[1]))]
    assert table.row_faults() == []


def test_field_of_another_type_is_named_and_rows_of_the_other_files_are_checked(people: Schema, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("recsys.source.base.INFERENCE_ROWS", 1)
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("user_id,age\n1,30\n2,old\n")
    files[1].write_text("user_id,age\n3,30\n-4,40\n")
    table = checked(people, files)
    assert [fault.where for fault in table.faults] == [f"{files[0]}, line 3, column 'age'"]
    assert [fault.where for fault in table.row_faults()] == [f"{files[1]}, row 1, column 'user_id'"]


def test_file_that_polars_cannot_open_is_named(people: Schema, tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('user_id,age\n1,"2\n')
    table = checked(people, [path])
    assert [fault.where for fault in table.faults] == [str(path)]


def test_table_without_rows_is_a_fault(people: Schema):
    frame = pl.LazyFrame({"user_id": [], "age": []}, schema={"user_id": pl.Int64, "age": pl.Int64})
    (fault,) = check_table("users", frame, table_rules(people, "users", ["users"], 0), files=[], parts=[]).faults
    assert (fault.what, fault.where) == ("no rows in users", "users")
    assert fault.remedy == "change data.source.users to files that hold rows"


def test_frame_without_files_is_checked_by_its_name(people: Schema):
    frame = pl.LazyFrame({"user_id": [1, None], "age": ["30", "40"]})
    table = check_table("users", frame, table_rules(people, "users", ["users"], 0), files=[], parts=[])
    assert [fault.where for fault in table.faults] == ["users, column 'age'"]
    assert [fault.where for fault in table.row_faults()] == ["users, row 1, column 'user_id'"]
