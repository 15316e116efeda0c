"""Tables from parquet and CSV files."""

import polars as pl
import pytest

from recsys.errors import ConfigError, DataError
from recsys.source.base import FILE, ROW
from recsys.source.tables import TableFiles


@pytest.fixture
def clicks(tmp_path):
    """Three click files: two parquet files with other column orders, one CSV."""
    pl.DataFrame({"user_id": [1, 2], "item_id": [10, 20]}).write_parquet(tmp_path / "clicks_1.parquet")
    pl.DataFrame({"item_id": [30], "user_id": [3], "device": ["tv"]}).write_parquet(tmp_path / "clicks_2.parquet")
    (tmp_path / "clicks_3.csv").write_text("user_id,item_id\n4,40\n5,50\n")
    return tmp_path


def rows(table, *columns):
    return table.select(columns).collect().rows()


def test_glob_reads_parquet_and_csv_with_any_column_order(clicks):
    tables = TableFiles(clicks, "clicks_*").tables()
    assert rows(tables.interactions, "user_id", "item_id") == [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]
    assert [file.name for file in tables.files["interactions"]] == ["clicks_1.parquet", "clicks_2.parquet", "clicks_3.csv"]


def test_extra_columns_are_kept_and_null_elsewhere(clicks):
    tables = TableFiles(clicks, ["clicks_1.parquet", "clicks_2.parquet"]).tables()
    assert rows(tables.interactions, "device") == [(None,), (None,), ("tv",)]


def test_file_matched_twice_is_read_once(clicks):
    tables = TableFiles(clicks, ["clicks_2.parquet", "clicks_*.parquet"]).tables()
    assert rows(tables.interactions, "user_id") == [(3,), (1,), (2,)]


def test_folder_stands_for_its_files_and_hidden_ones_are_left_out(tmp_path):
    day = tmp_path / "clicks" / "day=1"
    day.mkdir(parents=True)
    pl.DataFrame({"user_id": [7]}).write_parquet(day / "part.parquet")
    (tmp_path / "clicks" / "_SUCCESS").touch()
    assert rows(TableFiles(tmp_path, "clicks").tables().interactions, "user_id") == [(7,)]


def test_absolute_path_needs_no_root(clicks):
    tables = TableFiles(None, str(clicks / "clicks_1.parquet")).tables()
    assert rows(tables.interactions, "user_id") == [(1,), (2,)]


def test_users_and_items_are_absent_unless_given(clicks):
    assert TableFiles(clicks, "clicks_1.parquet").tables().users is None
    tables = TableFiles(clicks, "clicks_1.parquet", items="clicks_2.parquet").tables()
    assert rows(tables.items, "item_id") == [(30,)]


def test_files_given_as_parts_become_the_column_split(clicks):
    tables = TableFiles(clicks, {"train": ["clicks_1.parquet"], "test": "clicks_2.parquet"}).tables()
    assert rows(tables.interactions, "user_id", "split") == [(1, "train"), (2, "train"), (3, "test")]
    assert [file.name for file in tables.files["interactions"]] == ["clicks_1.parquet", "clicks_2.parquet"]


def test_file_in_two_parts_of_the_split_is_refused(clicks):
    source = TableFiles(clicks, {"train": "clicks_*.parquet", "test": "clicks_2.parquet"})
    with pytest.raises(DataError, match=r"in 2 parts of the split: train, test\n.*clicks_2.parquet"):
        source.tables()


def test_rows_carry_their_file_and_number_also_after_a_filter(clicks):
    table = TableFiles(clicks, "clicks_*").tables().interactions.filter(pl.col("user_id").is_in([2, 5]))
    places = [(file.rsplit("/", 1)[-1], row) for file, row in rows(table, FILE, ROW)]
    assert places == [("clicks_1.parquet", 1), ("clicks_3.csv", 1)]


def test_file_and_row_cost_nothing_in_a_query_without_them(clicks):
    table = TableFiles(clicks, "clicks_*.parquet").tables().interactions
    assert "ROW_INDEX" in table.explain()
    plan = table.select("user_id").explain()
    assert "ROW_INDEX" not in plan
    assert "WITH_COLUMNS" not in plan
    assert "PROJECT 1/2 COLUMNS" in plan


def test_csv_types_lists_nulls_and_separator(tmp_path):
    (tmp_path / "items.csv").write_text("item_id;genres;price;year\n007;Drama|Comedy;NULL;1999\n010;;2.5;2000.0\n")
    source = TableFiles(
        tmp_path, "items.csv", types={"item_id": "string", "year": "int64"}, lists={"genres": "|"}, separator=";", nulls=["NULL"]
    )
    expected = [("007", ["Drama", "Comedy"], None, 1999), ("010", None, 2.5, 2000)]
    assert rows(source.tables().interactions, "item_id", "genres", "price", "year") == expected


def test_text_is_read_as_moments_in_utc(tmp_path):
    pl.DataFrame({"at": ["2024-01-01T12:00:00+02:00", "2024-01-02T00:00:00Z"]}).write_parquet(tmp_path / "a.parquet")
    at = TableFiles(tmp_path, "a.parquet", types={"at": "datetime"}).tables().interactions.select("at").collect()["at"]
    assert at.dtype == pl.Datetime("us")
    assert [str(moment) for moment in at] == ["2024-01-01 10:00:00", "2024-01-02 00:00:00"]


def test_types_bring_ids_of_two_files_together(tmp_path):
    pl.DataFrame({"item_id": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"item_id": ["x"]}).write_parquet(tmp_path / "b.parquet")
    tables = TableFiles(tmp_path, "*.parquet", types={"item_id": "string"}).tables()
    assert [part.collect_schema()["item_id"] for part in tables.parts["interactions"]] == [pl.String, pl.String]


def test_broken_and_differing_files_are_left_to_validation(tmp_path):
    pl.DataFrame({"item_id": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"item_id": ["x"]}).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 cut off")
    tables = TableFiles(tmp_path, "*.parquet", lists={"item_id": "|"}).tables()
    integers, texts, _ = tables.parts["interactions"]
    assert integers.collect_schema()["item_id"] == pl.Int64
    assert texts.collect_schema()["item_id"] == pl.List(pl.String)


def test_missing_files_are_all_named_with_the_nearest(clicks):
    source = TableFiles(clicks, "klicks_*.parquet", users="clicks_1.parqet", items="shop/items.parquet")
    with pytest.raises(DataError) as caught:
        source.tables()
    first, *whats = [fault.what for fault in caught.value.faults]
    assert first.startswith("no file matches 'klicks_*.parquet'; did you mean 'clicks_")
    assert whats == [
        "no file or folder 'clicks_1.parqet'; did you mean 'clicks_1.parquet'?",
        "no file or folder 'shop'",
    ]
    assert "change data.source.users" in caught.value.faults[1].remedy
    assert "clicks_1.parquet, clicks_2.parquet, clicks_3.csv" in caught.value.faults[2].remedy


def test_missing_part_of_the_split_names_its_key(clicks):
    with pytest.raises(DataError, match=r"change data.source.interactions.test"):
        TableFiles(clicks, {"train": "clicks_1.parquet", "test": "clicks_9.parquet"}).tables()


def test_foreign_file_is_refused(clicks):
    (clicks / "clicks_4.json").write_text("{}")
    with pytest.raises(DataError, match=r"1 of 4 files of data.source.interactions cannot be read(.|\n)*clicks_4.json"):
        TableFiles(clicks, "clicks_*").tables()


def test_root_that_is_not_set_says_what_to_type():
    with pytest.raises(ConfigError, match=r"data.root is not set(.|\n)*type data.root=<folder that holds 'clicks.parquet'>"):
        TableFiles(None, "clicks.parquet").tables()


def test_column_of_types_or_lists_that_no_file_has_is_refused(clicks):
    with pytest.raises(ConfigError) as caught:
        TableFiles(clicks, "clicks_1.parquet", types={"userid": "string"}, lists={"genre": "|"}).tables()
    assert [fault.what for fault in caught.value.faults] == [
        "no file has a column 'userid'; did you mean 'user_id'?",
        "no file has a column 'genre'",
    ]


def test_unknown_type_is_refused_with_the_nearest(clicks):
    with pytest.raises(ConfigError, match=r"no type 'sting'; did you mean 'string'\?\n.*data.source.types.item_id"):
        TableFiles(clicks, "clicks_1.parquet", types={"item_id": "sting"}).tables()
