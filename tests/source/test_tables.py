"""Tables from parquet and CSV files."""

from datetime import datetime

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


def test_nothing_below_a_hidden_folder_is_data(tmp_path):
    for name in ("ratings.csv", ".ipynb_checkpoints/ratings-checkpoint.csv", "_delta/old.csv", "day/.tmp/part.csv"):
        (tmp_path / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / name).write_text("user_id\n7\n")
    assert rows(TableFiles(tmp_path, "shop").tables().interactions, "user_id") == [(7,)]
    assert rows(TableFiles(tmp_path, "shop/**/*.csv").tables().interactions, "user_id") == [(7,)]


def test_path_with_a_hidden_folder_above_the_root_is_read(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.csv").write_text("user_id\n7\n")
    assert rows(TableFiles(tmp_path / ".cache", "*.csv").tables().interactions, "user_id") == [(7,)]


@pytest.mark.parametrize(
    ("log", "table"), [("_delta_log/0.json", "Delta"), (".hoodie/x", "Hudi"), ("metadata/version-hint.text", "Iceberg")]
)
def test_table_whose_log_says_which_files_count_is_refused(clicks, log, table):
    (clicks / log).parent.mkdir()
    (clicks / log).write_text("{}")
    with pytest.raises(DataError, match=table):
        TableFiles(clicks.parent, clicks.name).tables()
    assert TableFiles(clicks, "clicks_1.parquet").tables()  # a file that is named is read


def test_columns_of_the_path_are_columns(tmp_path):
    for day, shop, user in (("2024-01-01", "7", 1), ("2024-01-02", "__HIVE_DEFAULT_PARTITION__", 2)):
        folder = tmp_path / f"seed=1/events/day={day}/shop%20no={shop}/click={user - 1}"
        folder.mkdir(parents=True)
        pl.DataFrame({"user_id": [user]}).write_parquet(folder / "part-0.parquet")
    table = TableFiles(tmp_path / "seed=1", "events").tables().interactions
    assert rows(table.sort("day"), "user_id", "day", "click") == [(1, datetime(2024, 1, 1), 0), (2, datetime(2024, 1, 2), 1)]
    assert "seed" not in table.collect_schema()


def test_columns_of_the_path_of_csv_files(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"split={split}").mkdir()
        (tmp_path / f"split={split}" / "a.csv").write_text("user_id\n7\n")
    assert rows(TableFiles(tmp_path, "*/a.csv").tables().interactions, "user_id", "split") == [(7, "test"), (7, "train")]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("name", ["week[1]", "v[final]", "a*b", "what?"])
def test_path_with_brackets_is_the_file_of_that_name(tmp_path, name, suffix):
    for folder, user in (("week1", 1), ("aXb", 1), (name, 2)):
        (tmp_path / folder).mkdir()
        with (tmp_path / folder / f"a.{suffix}").open("wb") as file:
            frame = pl.DataFrame({"user_id": [user]})
            frame.write_parquet(file) if suffix == "parquet" else frame.write_csv(file)
    assert rows(TableFiles(tmp_path, f"{name}/a.{suffix}").tables().interactions, "user_id") == [(2,)]


def test_dictionaries_are_texts_and_decimals_numbers(tmp_path):
    frame = pl.DataFrame({"user_id": ["a", "b"], "item_id": [1, 2], "price": ["1.50", "2.25"]})
    types = {"user_id": pl.Categorical, "item_id": pl.Decimal(38, 0), "price": pl.Decimal(10, 2)}
    frame.cast(types).write_parquet(tmp_path / "a.parquet")
    table = TableFiles(tmp_path, "a.parquet").tables().interactions
    assert rows(table, "user_id", "item_id", "price") == [("a", 1, 1.5), ("b", 2, 2.25)]
    assert table.collect_schema()["item_id"] == pl.Int64


def test_formats_values_and_decimal_commas(tmp_path):
    (tmp_path / "a.csv").write_text("at;clicked;price\n03/01/2024;J;9,00\n04/01/2024;N;1.299,99\n")
    source = TableFiles(
        tmp_path,
        "a.csv",
        types={"at": "datetime"},
        formats={"at": "%m/%d/%Y"},
        values={"clicked": {"J": 1, "N": 0}},
        separator=";",
        decimal=",",
    )
    expected = [(datetime(2024, 3, 1), 1.0, 9.0), (datetime(2024, 4, 1), 0.0, 1299.99)]
    assert rows(source.tables().interactions, "at", "clicked", "price") == expected


def test_files_without_a_header(tmp_path):
    (tmp_path / "u.data").write_text("1\t7\t5\n2\t8\t3\n")
    (tmp_path / "items.csv").write_text("item_id\n7\n")
    source = TableFiles(tmp_path, "u.data", items="items.csv", header=False, columns=["user_id", "item_id", "rating"])
    assert rows(source.tables().interactions, "user_id", "item_id", "rating") == [(1, 7, 5), (2, 8, 3)]
    assert rows(source.tables().items, "item_id") == [(7,)]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"encoding": "latin-99"}, "data.source.encoding"),
        ({"decimal": ";"}, "data.source.decimal"),
        ({"header": False}, "data.source.header"),
        ({"columns": ["user_id"]}, "data.source.header"),
        ({"formats": {"user_id": "%Y"}}, "data.source.types.user_id=datetime"),
        ({"values": {"user_id": {"Y": "yes"}}}, "data.source.values.user_id"),
    ],
)
def test_argument_that_cannot_be_is_refused(clicks, arguments, key):
    with pytest.raises(ConfigError, match=key):
        TableFiles(clicks, "clicks_1.parquet", **arguments).tables()
