"""Values that the type cannot hold as which a column is read."""

from pathlib import Path

import polars as pl
import pytest

from recsys.data.check.validate import validate
from recsys.errors import DataError
from recsys.schema import Categorical, Schema
from recsys.source.tables import TableFiles

SCHEMA = Schema("user_id", "item_id", features=(Categorical("user_id", "user"), Categorical("item_id", "item")))


def check(source: TableFiles, folder: Path, bad_rows="fail"):
    return validate(source.tables(), SCHEMA, bad_rows=bad_rows, quarantine=folder / "aside", max_unknown_share=1.0)


def test_float_ids_above_2_to_the_53_are_refused_though_a_cast_is_asked_for(tmp_path):
    ids = [float(1_234_567_890_123_456_789 + 1_000 * item) for item in range(3)]
    pl.DataFrame({"user_id": [1, 2, 3], "item_id": ids}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError) as refused:
        check(TableFiles(tmp_path, "a.parquet", types={"item_id": "int64"}), tmp_path)
    (fault,) = refused.value.faults
    assert fault.what.startswith("float id that is no exact integer in 3 of 3 rows: 1.23")
    assert "the float has lost them" in fault.remedy


@pytest.mark.parametrize(
    ("values", "name", "what"),
    [
        ([1.5, 2.0], "int64", "float id that is no exact integer in 1 of 2 rows: 1.5"),
        (["x", "2"], "int64", "value that is no int64 in 1 of 2 rows: 'x'"),
        ([b"\xff", b"a"], "string", r"value that is no string in 1 of 2 rows: b'\xff'"),
    ],
)
def test_value_that_a_named_type_cannot_hold_is_one_fault(tmp_path, values, name, what):
    pl.DataFrame({"user_id": [1, 2], "item_id": values}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError) as refused:
        check(TableFiles(tmp_path, "a.parquet", types={"item_id": name}), tmp_path)
    assert [fault.what for fault in refused.value.faults] == [what]
    assert refused.value.faults[0].where == f"{tmp_path / 'a.parquet'}, row 0, column 'item_id'"


def test_rows_with_such_a_value_are_set_aside(tmp_path):
    pl.DataFrame({"user_id": [1, 2, 3], "item_id": ["1", "x", "3"]}).write_csv(tmp_path / "a.csv")
    checked = check(TableFiles(tmp_path, "a.csv", types={"item_id": "int64"}), tmp_path, bad_rows="quarantine")
    assert checked.tables.interactions.select("user_id", "item_id").collect().rows() == [(1, 1), (3, 3)]
    assert pl.read_parquet(tmp_path / "aside/interactions.parquet")["__raw item_id"].to_list() == ["x"]


def test_id_with_leading_zeros_after_many_plain_ones_is_refused_and_not_another(tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.source.base.INFERENCE_ROWS", 2)
    (tmp_path / "a.csv").write_text("user_id,item_id\n1,7\n2,8\n3,007\n")
    with pytest.raises(DataError, match=r"value that is no int64 in 1 of 3 rows: '007'"):
        check(TableFiles(tmp_path, "a.csv"), tmp_path)
    checked = check(TableFiles(tmp_path, "a.csv", types={"item_id": "string"}), tmp_path)
    assert checked.tables.interactions.select("item_id").collect()["item_id"].to_list() == ["7", "8", "007"]


def test_value_that_stands_for_no_number_is_a_fault_of_a_column_that_is_read(tmp_path):
    (tmp_path / "a.csv").write_text("user_id,item_id\nY,7\nmaybe,8\n")
    with pytest.raises(DataError, match=r"value that is no float64 in 1 of 2 rows: 'maybe'"):
        check(TableFiles(tmp_path, "a.csv", values={"user_id": {"Y": 1, "N": 0}}), tmp_path)
