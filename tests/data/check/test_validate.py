"""Validation of whole tables, from small parquet and CSV files in a temporary folder."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from recsys.data.check.validate import Validated, validate
from recsys.errors import DataError
from recsys.schema import Categorical, Label, MultiCategorical, Numeric, Schema
from recsys.source.base import Tables
from recsys.source.tables import TableFiles

START = datetime(2024, 5, 1)
CLICKS = pl.DataFrame(
    {
        "user_id": [1, 2, 3, 1],
        "item_id": ["a", "b", "c", "c"],
        "time": [START] * 4,
        "click": [0, 1, 1, None],
        "buy": [0, 1, 0, None],
        "price": [1.0, 2.0, 3.0, 4.0],
    }
)
USERS = pl.DataFrame({"user_id": [1, 2, 3], "age": [30, 40, 50]})
ITEMS = pl.DataFrame({"item_id": ["a", "b", "c"], "tags": [["x"], [], ["x", "y", "z"]]})


@pytest.fixture
def shop() -> Schema:
    return Schema(
        user="user_id",
        item="item_id",
        time="time",
        features=(
            Categorical("user_id", "user"),
            Numeric("age", "user"),
            Categorical("item_id", "item"),
            MultiCategorical("tags", "item", max_len=2),
            Numeric("price", "context", low=0),
        ),
        labels=(Label("click"), Label("buy", given="click")),
    )


def write(folder: Path, clicks: pl.DataFrame = CLICKS, users: pl.DataFrame = USERS, items: pl.DataFrame = ITEMS) -> Tables:
    for name, frame in (("clicks", clicks), ("users", users), ("items", items)):
        frame.write_parquet(folder / f"{name}.parquet")
    return read(folder)


def read(folder: Path, pattern: str = "clicks*") -> Tables:
    return TableFiles(str(folder), pattern, users="users.parquet", items="items*").tables()


def checked(tables: Tables, schema: Schema, folder: Path, bad_rows: str = "fail") -> Validated:
    return validate(tables, schema, bad_rows=bad_rows, quarantine=folder / "aside", max_unknown_share=0.2)


def refused(tables: Tables, schema: Schema, folder: Path, bad_rows: str = "fail") -> DataError:
    with pytest.raises(DataError) as raised:
        checked(tables, schema, folder, bad_rows)
    assert not (folder / "aside").exists()
    return raised.value


def test_sound_tables_pass_as_they_came(shop: Schema, tmp_path: Path):
    tables = write(tmp_path)
    validated = checked(tables, shop, tmp_path)
    assert validated.tables == tables
    assert validated.notes == (
        "items: 1 of 3 lists in 'tags' are longer than max_len=2 and are cut to that",
        f"parquet files without page checksums, in which a flipped bit goes unnoticed: {tmp_path / 'clicks.parquet'}, "
        f"{tmp_path / 'users.parquet'}, {tmp_path / 'items.parquet'}; pyarrow adds checksums with write_page_checksum=True",
    )


def test_columns_in_any_order_and_unread_ones_pass(shop: Schema, tmp_path: Path):
    write(tmp_path)
    CLICKS.select(reversed(CLICKS.columns)).with_columns(extra=1, other=2).write_parquet(tmp_path / "clicks2.parquet")
    notes = checked(read(tmp_path), shop, tmp_path).notes
    assert notes[0] == "interactions: columns in no feature, label or key: extra, other"


@pytest.mark.parametrize(
    ("column", "value", "what", "remedy"),
    [
        ("user_id", None, "missing id in 1 of 4 rows", "drop the rows with filter(pl.col('user_id').is_not_null())"),
        ("user_id", -1, "negative id in 1 of 4 rows: -1", "filter(pl.col('user_id') >= 0)"),
        ("item_id", "b\0", "string with a NUL byte or longer than 1 MB in 1 of 4 rows: 'b\\x00'", ".str.replace_all('\\x00', '')"),
        ("time", None, "missing time in 1 of 4 rows", "filter(pl.col('time').is_not_null())"),
        ("time", datetime(2090, 1, 1), "time in the future in 1 of 4 rows: 2090-01-01 00:00:00", "correct the clock or time zone"),
        ("time", datetime(1970, 1, 1), "time outside 1970 to 2100 in 1 of 4 rows: 1970-01-01 00:00:00", "set data.time_unit=rank"),
        ("click", 2, "label other than 0, 1, false, true or null in 1 of 4 rows: 2", "(pl.col('click') > 0).cast(pl.Int8)"),
        ("click", 0, "buy=1 where click=0, though buy is given click in 1 of 4 rows", "remove 'given: click' from data.labels"),
        ("price", float("nan"), "number that is NaN, infinite or beyond float32 in 1 of 4 rows: nan", "pl.col('price').fill_nan(None)"),
        ("price", None, "missing number in 1 of 4 rows", "set fill on feature 'price' in data.features"),
        ("price", -0.5, "number below low=0 in 1 of 4 rows: -0.5", "change low and high of feature 'price' in data.features"),
    ],
)
def test_faulty_row_is_named_with_its_remedy(shop: Schema, tmp_path: Path, column: str, value: object, what: str, remedy: str):
    second_row = pl.Series(column, [CLICKS[column][0], value, *CLICKS[column][2:]], dtype=CLICKS.schema[column])
    (fault,) = refused(write(tmp_path, CLICKS.with_columns(second_row)), shop, tmp_path).faults
    at_fault = "buy" if "given" in what else column
    assert fault.what == what
    assert fault.where == f"{tmp_path / 'clicks.parquet'}, row 1, column '{at_fault}'"
    assert remedy in fault.remedy
    assert fault.remedy.endswith("or set data.bad_rows=quarantine")


def test_second_row_of_an_id_is_named(shop: Schema, tmp_path: Path):
    users = pl.concat([USERS, USERS[:1]])
    (fault,) = refused(write(tmp_path, users=users), shop, tmp_path).faults
    assert fault.what == "id that an earlier row has in 1 of 4 rows: 1"
    assert fault.where == f"{tmp_path / 'users.parquet'}, row 3, column 'user_id'"
    assert "unique(subset='user_id')" in fault.remedy


@pytest.mark.parametrize(("ticks", "unit"), [(1, "s"), (1_000, "ms"), (1_000_000, "us")])
def test_integer_time_says_which_unit_to_set(shop: Schema, tmp_path: Path, ticks: int, unit: str):
    tables = write(tmp_path, CLICKS.with_columns(time=pl.lit(1_700_000_000 * ticks)))
    (fault,) = refused(tables, shop, tmp_path).faults
    assert fault.what.startswith(f"number that lies between 1985 and 2100 as {unit}, not as datetime in 4 of 4 rows: ")
    assert fault.remedy.startswith(f"set data.time_unit={unit};")
    assert checked(tables, replace(shop, time_unit=unit), tmp_path)


def test_float_ids_name_type_and_lost_ids(shop: Schema, tmp_path: Path):
    clicks = CLICKS.with_columns(user_id=pl.Series([1.0, 2.5, 3.0, 1.0]))
    kind, _, lost = refused(write(tmp_path, clicks), shop, tmp_path).faults
    assert kind.what == "user id 'user_id' is Float64"
    assert kind.remedy.startswith("set data.source.types.user_id=int64, or rewrite the file with pl.col('user_id').cast(pl.Int64)")
    assert lost.what == "float id that is no exact integer in 1 of 4 rows: 2.5"
    assert lost.where == f"{tmp_path / 'clicks.parquet'}, row 1, column 'user_id'"


def test_faults_of_files_columns_and_rows_come_together(shop: Schema, tmp_path: Path):
    clicks = CLICKS.with_columns(user_id=pl.Series([1, None, 3, -1]), buy=pl.Series(["0", "1", "0", None]))
    write(tmp_path, clicks, USERS.rename({"age": "agee"}), ITEMS.with_columns(tags=pl.Series([["x", None], [], []])))
    (tmp_path / "clicks2.parquet").write_bytes(b"PAR1, cut short")
    error = refused(read(tmp_path), shop, tmp_path)
    assert [(fault.what.split(" in ")[0].split(":")[0], Path(fault.where.split(",")[0]).name) for fault in error.faults] == [
        ("the parquet file cannot be read, it is truncated or of another format", "clicks2.parquet"),
        ("label 'buy' is String", "clicks.parquet"),
        ("no column 'age'; did you mean 'agee'?", "users.parquet"),
        ("missing id", "clicks.parquet"),
        ("negative id", "clicks.parquet"),
        ("null inside a list", "items.parquet"),
    ]
    assert error.exit_code == 3
    assert str(error).startswith("6 problems:\n  1. the parquet file cannot be read")


def test_times_with_and_without_zone_name_both_files(shop: Schema, tmp_path: Path):
    write(tmp_path)
    CLICKS.with_columns(time=pl.lit(START.replace(tzinfo=UTC))).write_parquet(tmp_path / "clicks2.parquet")
    (fault,) = refused(read(tmp_path), shop, tmp_path).faults
    assert fault.what.startswith("time 'time' has a time zone in some files and none in others: ")
    assert f"None) in {tmp_path / 'clicks.parquet'}; " in fault.what
    assert f"'UTC') in {tmp_path / 'clicks2.parquet'}" in fault.what


def test_ids_that_no_table_knows_are_noted(shop: Schema, tmp_path: Path):
    notes = checked(write(tmp_path, items=ITEMS[:2]), shop, tmp_path).notes
    assert notes[-1] == (
        "warning, above data.max_unknown_share=0.2: 1 of 3 ids 'item_id' of interactions have no row in items (33.3%): 'c'; "
        "their features are unknown"
    )


def test_ids_are_not_missed_in_a_table_read_in_part(shop: Schema, tmp_path: Path):
    write(tmp_path, items=ITEMS[:1])
    (tmp_path / "items2.parquet").write_bytes(b"PAR1")
    (fault,) = refused(read(tmp_path), shop, tmp_path).faults
    assert fault.where == str(tmp_path / "items2.parquet")


def test_rows_that_cannot_be_read_are_one_fault(shop: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys.source.base.INFERENCE_ROWS", 1)
    write(tmp_path)
    CLICKS.with_columns(price=pl.Series([1, 2, 3, 4])).write_csv(tmp_path / "clicks.csv")
    (tmp_path / "clicks.csv").write_text((tmp_path / "clicks.csv").read_text().replace(",3\n", ",cheap\n"))
    (fault,) = refused(read(tmp_path, "clicks.csv"), shop, tmp_path).faults
    assert (fault.what, fault.where) == (
        "value that is no int64 in 1 of 4 rows: 'cheap'",
        f"{tmp_path / 'clicks.csv'}, row 2, column 'price'",
    )


def test_quarantine_leaves_faulty_rows_out_and_writes_them_aside(shop: Schema, tmp_path: Path):
    clicks = CLICKS.with_columns(user_id=pl.Series([1, None, 3, 1]), price=pl.Series([1.0, -2.0, 3.0, float("inf")]))
    tables = write(tmp_path, clicks)
    before = {path.name: sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    validated = checked(tables, shop, tmp_path, bad_rows="quarantine")
    assert validated.tables.interactions.collect()["item_id"].to_list() == ["a", "c"]
    assert validated.tables.users is tables.users
    path = tmp_path / "aside" / "interactions.parquet"
    assert validated.notes[-1] == (
        f"interactions: 2 of 4 rows (50.00%) set aside in {path}: 1 missing id in 'user_id', "
        "1 number that is NaN, infinite or beyond float32 in 'price', 1 number below low=0 in 'price'"
    )
    aside = pl.read_parquet(path)
    assert aside["item_id"].to_list() == ["b", "c"]
    assert aside["__row"].to_list() == [1, 3]
    assert aside["fault"].to_list() == [
        "user_id: missing id; price: number below low=0",
        "price: number that is NaN, infinite or beyond float32",
    ]
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in tmp_path.glob("*.parquet")} == before


def test_quarantine_keeps_the_first_row_of_an_id(shop: Schema, tmp_path: Path):
    users = pl.concat([USERS, pl.DataFrame({"user_id": [1], "age": [99]})])
    validated = checked(write(tmp_path, users=users), shop, tmp_path, bad_rows="quarantine")
    assert validated.tables.users.filter(pl.col("age") > 35).collect()["age"].to_list() == [40, 50]
    assert pl.read_parquet(tmp_path / "aside" / "users.parquet")["age"].to_list() == [99]


def test_quarantine_never_sets_every_row_aside(shop: Schema, tmp_path: Path):
    tables = write(tmp_path, CLICKS.with_columns(price=pl.Series([-1.0, float("nan"), None, -2.0])))
    error = refused(tables, shop, tmp_path, bad_rows="quarantine")
    assert [fault.what.split(" in ")[0] for fault in error.faults] == [
        "missing number",
        "number that is NaN, infinite or beyond float32",
        "number below low=0",
    ]


def test_quarantine_writes_nothing_where_a_column_is_wrong(shop: Schema, tmp_path: Path):
    tables = write(tmp_path, CLICKS.with_columns(user_id=pl.Series([1, None, 3, 1])), USERS.drop("age"))
    (fault,) = refused(tables, shop, tmp_path, bad_rows="quarantine").faults
    assert fault.what == "no column 'age'"


def labelled(shop: Schema, *labels: Label) -> Schema:
    return replace(shop, labels=(Label("click"), *labels))


ORDERS = CLICKS.with_columns(click=pl.Series([0, 1, 0, 1]), buy=pl.Series([1, 1, 0, 0]), order=pl.Series([1, 1, 0, 0]))
"""Row 0 was bought and ordered, but not clicked."""


def test_rows_of_an_impossible_label_are_dropped_where_its_policy_says_so(shop: Schema, tmp_path: Path):
    validated = checked(write(tmp_path, ORDERS), labelled(shop, Label("buy", given="click", policy="drop")), tmp_path)
    assert validated.tables.interactions.collect()["item_id"].to_list() == ["b", "c", "c"]
    assert "1 of 4 rows (25.00%) set aside" in validated.notes[-1]
    assert pl.read_parquet(tmp_path / "aside" / "interactions.parquet")["__row"].to_list() == [0]


def test_rows_are_not_all_dropped(shop: Schema, tmp_path: Path):
    tables = write(tmp_path, ORDERS[:1])
    (fault,) = refused(tables, labelled(shop, Label("buy", given="click", policy="drop")), tmp_path).faults
    assert fault.what == "buy=1 where click=0, though buy is given click in 1 of 1 rows"


def test_dropping_does_not_excuse_other_faults(shop: Schema, tmp_path: Path):
    tables = write(tmp_path, ORDERS.with_columns(price=pl.Series([1.0, -2.0, 3.0, 4.0])))
    (fault,) = refused(tables, labelled(shop, Label("buy", given="click", policy="drop")), tmp_path).faults
    assert fault.what.startswith("number below low=0")


def test_clipping_a_label_clips_those_that_are_given_it(shop: Schema, tmp_path: Path):
    labels = Label("buy", given="click", policy="clip"), Label("order", given="buy", policy="clip")
    validated = checked(write(tmp_path, ORDERS), labelled(shop, *labels), tmp_path)
    rows = validated.tables.interactions.collect()
    assert rows.select("click", "buy", "order").rows() == [(0, 0, 0), (1, 1, 1), (0, 0, 0), (1, 0, 0)]
    assert "interactions: 1 of 4 rows have buy=1 where click=0, though buy is given click: taken for 0" in validated.notes
    assert not (tmp_path / "aside").exists()
