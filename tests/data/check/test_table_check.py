"""One table's pass over small parquet and CSV files: what cannot be read is named, what can be read is still checked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from recsys.data.check.column_rules import table_rules
from recsys.data.check.table_check import CheckedTable, check_table, differing_columns, missing_faults, type_faults
from recsys.errors import DataError
from recsys.schema import Categorical, History, Label, Numeric, Schema, Timestamp
from recsys.source.base import FILE, ROW, concat_rows, scan


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
    assert table.faults == ()
    assert {(fault.what, fault.where) for fault in table.row_faults()} == {
        ("value that is no int64 in 1 of 4 rows: 'old'", f"{files[0]}, row 1, column 'age'"),
        ("negative id in 1 of 4 rows: -4", f"{files[1]}, row 1, column 'user_id'"),
    }


def test_file_that_polars_cannot_open_is_named(people: Schema, tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('user_id,age\n1,"2\n')
    table = checked(people, [path])
    assert str(path) in [fault.where for fault in table.faults]


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


KEYS = {"user_id": pl.Int64(), "item_id": pl.String(), "time": pl.Int64(), "click": pl.Int8()}


@pytest.fixture
def shop() -> Schema:
    return Schema(
        user="user_id",
        item="item_id",
        time="time",
        time_unit="s",
        features=(
            Categorical("user_id", "user"),
            Numeric("age", "user"),
            History("history", "user", of="item_id"),
            Categorical("item_id", "item"),
            Numeric("price", "item"),
            Categorical("device", "context"),
            Timestamp("time", "context"),
        ),
        labels=(Label("click"),),
    )


def columns(schema: Schema, table: str, *tables: str) -> list[str]:
    return [rule.column for rule in table_rules(schema, table, tables, 0)]


def test_each_table_is_asked_for_its_own_columns(shop: Schema):
    assert columns(shop, "interactions", "interactions", "users", "items") == ["user_id", "item_id", "time", "click", "device"]
    assert columns(shop, "users", "interactions", "users", "items") == ["user_id", "age"]
    assert columns(shop, "items", "interactions", "users", "items") == ["item_id", "price"]


def test_interactions_stand_in_for_a_table_that_is_not_there(shop: Schema):
    assert columns(shop, "interactions", "interactions", "items") == ["user_id", "item_id", "time", "click", "age", "device"]


def test_missing_column_names_files_reader_key_and_nearest(shop: Schema):
    rules = table_rules(shop, "interactions", ["interactions", "users", "items"], 0)
    full = {**KEYS, "device": pl.String(), FILE: pl.String(), ROW: pl.UInt32()}
    short = {column: dtype for column, dtype in full.items() if column not in ("user_id", "device")} | {"userid": pl.Int64()}
    user, device = missing_faults(rules, "interactions", {"a.parquet": full, "b.parquet": short})
    assert user.what == "no column 'user_id'; did you mean 'userid'?"
    assert user.where == "b.parquet, table interactions; needed as user id (data.user)"
    assert user.remedy == ("change data.user to a column of the file, or rename one to 'user_id'; there are click, item_id, time, userid")
    assert device.where == "b.parquet, table interactions; needed as Categorical feature (data.features)"


def test_order_of_columns_and_unread_columns_do_not_matter(shop: Schema):
    rules = table_rules(shop, "users", ["users"], 0)
    files = {"a.csv": {"user_id": pl.Int64(), "age": pl.Int64()}, "b.csv": {"age": pl.Int64(), "x": pl.Date(), "user_id": pl.Int64()}}
    assert [*missing_faults(rules, "users", files), *type_faults(rules, "users", files)] == []


def test_wrong_type_names_files_and_cast(shop: Schema):
    rules = table_rules(shop, "users", ["users"], 0)
    (fault,) = type_faults(rules, "users", {"a.csv": {"user_id": pl.Int64(), "age": pl.String()}})
    assert fault.what == "Numeric feature 'age' is String"
    assert fault.where == "a.csv, table users, column 'age'"
    assert fault.remedy == "set data.source.types.age=float64, or rewrite the file with pl.col('age').cast(pl.Float64)"


def test_types_that_differ_are_listed_with_their_files(shop: Schema):
    rules = table_rules(shop, "users", ["users"], 0)
    files = {name: {"user_id": dtype} for name, dtype in (("a", pl.Int32()), ("b", pl.Int64()), ("c", pl.Int32()), ("d", pl.String()))}
    (fault,) = type_faults(rules, "users", files)
    assert fault.what == "user id 'user_id' has 3 types: Int32 in a, c; Int64 in b; String in d"
    assert fault.where == "column 'user_id'"
    assert fault.remedy == "bring all to one type: set data.source.types.user_id, or rewrite files with pl.col('user_id').cast(pl.Int32)"


def test_times_with_and_without_zone_name_both_files(shop: Schema):
    rules = table_rules(replace(shop, time_unit="datetime"), "interactions", ["interactions", "users", "items"], 0)
    (fault,) = type_faults(rules, "interactions", {"a": {"time": pl.Datetime("us")}, "b": {"time": pl.Datetime("us", "UTC")}})
    assert fault.what == (
        "time 'time' has a time zone in some files and none in others: "
        "Datetime(time_unit='us', time_zone=None) in a; Datetime(time_unit='us', time_zone='UTC') in b"
    )
    assert fault.remedy == "rewrite the files without a zone with pl.col('time').dt.replace_time_zone('UTC') (their zone)"


def test_hour_of_a_rank_is_refused(shop: Schema):
    rules = table_rules(replace(shop, time_unit="rank"), "interactions", ["interactions", "users", "items"], 0)
    (fault,) = type_faults(rules, "interactions", {"a": KEYS})
    assert fault.what == "Timestamp feature 'time' is Int64"


def test_differing_columns_are_those_with_two_types():
    assert differing_columns({"a": {"x": pl.Int64(), "y": pl.Date()}, "b": {"x": pl.Int32(), "y": pl.Date(), "z": pl.Date()}}) == {"x"}


def test_session_is_checked_like_an_id(shop: Schema):
    visited = replace(shop, session="visit")
    assert columns(visited, "interactions", "interactions", "users", "items") == ["user_id", "item_id", "time", "click", "visit", "device"]
    rules = table_rules(visited, "interactions", ["interactions", "users", "items"], 0)
    (missing,) = missing_faults(rules, "interactions", {"a.csv": {**KEYS, "device": pl.String()}})
    assert missing.where == "a.csv, table interactions; needed as session (data.session)"
    (wrong,) = type_faults(rules, "interactions", {"a.csv": {**KEYS, "device": pl.String(), "visit": pl.Float64()}})
    assert wrong.what == "session 'visit' is Float64"
    rule = next(rule for rule in rules if rule.column == "visit")
    frame = pl.DataFrame({"visit": [1, 1, None, -1]})
    found = {check.what: frame.filter(check.bad).height for check in rule.checks(frame.schema)}
    assert found == {"missing id": 1, "negative id": 1}  # rows of one visit share its id


@pytest.mark.parametrize(("table", "key"), [("users", "user"), ("items", "item")])
def test_table_without_its_key_is_refused(table: str, key: str):
    nameless = Schema(**{"user": "user_id", "item": "item_id", key: None})
    with pytest.raises(DataError) as raised:
        table_rules(nameless, table, ["interactions", table], 0)
    (fault,) = raised.value.faults
    assert fault.what == f"a table of {table}, and data.{key} is null"
    assert fault.where == f"data.source.{table}"
    assert fault.remedy == f"name its key in data.{key}"


def test_rows_that_name_no_user_and_no_item_need_neither_column():
    nameless = Schema(None, None, features=(Categorical("device", "context"),), labels=(Label("click"),))
    assert columns(nameless, "interactions", "interactions") == ["click", "device"]
