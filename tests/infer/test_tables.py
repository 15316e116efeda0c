"""A first yaml from raw tables."""

import random
from datetime import date, datetime, timedelta

import polars as pl
import pytest
import yaml

from recsys.config import DataConfig, build
from recsys.config.check import check_config
from recsys.config.nodes import typed_config
from recsys.data.store.prepare import prepare
from recsys.errors import DataError
from recsys.infer.__main__ import main
from recsys.infer.columns import guess, table_columns
from recsys.infer.tables import Roles, infer
from recsys.schema import Label, Schema

NOW_S = 1_750_000_000
USERS, ITEMS, ROWS = 12, 30, 400


@pytest.fixture
def shop() -> dict[str, pl.DataFrame]:
    """A shop's impressions over 40 days, with clicks and conversions, and its users and items."""
    luck = random.Random(0)
    clicks = [int(row % 5 < 3) for row in range(ROWS)]
    impressions = {
        "item_id": [f"i{luck.randrange(ITEMS)}" for _ in range(ROWS)],
        "user_id": [luck.randrange(USERS) for _ in range(ROWS)],
        "shown_at": [datetime(2024, 1, 1) + timedelta(days=40 * row / ROWS) for row in range(ROWS)],
        "conversion": [int(click and luck.random() < 0.3) for click in clicks],
        "click": clicks,
        "position": [luck.randrange(5) for _ in range(ROWS)],
    }
    users = {"user_id": range(USERS), "country": ["no", "fr", "de"] * 4, "signup": [date(2023, 1, 1)] * 6 + [date(2023, 5, 1)] * 6}
    items = {
        "item_id": [f"i{item}" for item in range(ITEMS)],
        "brand": ["a", "b", "c"] * 10,
        "tags": [["x", "y"], ["z"], []] * 10,
        "price": [float(2 ** (item % 10)) for item in range(ITEMS)],
        "image": [[0.1 * item, 1.0] for item in range(ITEMS)],
        "description": ["A very long text about what this item is and who may like it"] * 29 + ["Short"],
    }
    return {name: pl.DataFrame(table) for name, table in (("impressions", impressions), ("users", users), ("items", items))}


@pytest.fixture
def files(shop, tmp_path, monkeypatch):
    """The shop's tables in data/, the folder of yamls in conf/data, and both seen from here."""
    (tmp_path / "data").mkdir()
    (tmp_path / "conf" / "data").mkdir(parents=True)
    for name, table in shop.items():
        table.write_parquet(tmp_path / "data" / f"{name}.parquet")
    monkeypatch.chdir(tmp_path)
    return ["data/impressions.parquet", "data/items.parquet", "data/users.parquet"]


def draft(*tables: pl.DataFrame, **given):
    return infer({f"table {number}": table.lazy() for number, table in enumerate(tables)}, now_s=NOW_S, roles=Roles(**given))


def kind_of(name: str, values, dtype=None) -> str | None:
    return guess(table_columns(pl.LazyFrame({name: pl.Series(values, dtype=dtype)}))[name]).kind


def events(**columns) -> pl.DataFrame:
    """60 rows of 6 users and 10 items, with more columns."""
    return pl.DataFrame({"user_id": [row % 6 for row in range(60)], "item_id": [row % 10 for row in range(60)], **columns})


def test_yaml_prepares_as_it_stands(files, tmp_path):
    assert main([*files, "--name", "shop"]) == 0
    text = (tmp_path / "conf/data/shop.yaml").read_text()
    config = yaml.safe_load(text.replace("${data.root}", "data"))
    check_config(config, DataConfig, origin={})
    data = typed_config(config, DataConfig)
    schema = Schema(
        user=data.user,
        item=data.item,
        time=data.time,
        time_unit=data.time_unit,
        features=build(list(data.features)),
        labels=build(list(data.labels)),
        positive=data.positive,
    )
    store = prepare(
        build(data.source),
        schema,
        build(data.split),
        folder=tmp_path / "store",
        bad_rows=data.bad_rows,
        max_unknown_share=0.2,
        max_feature_auc=data.max_feature_auc,
    )
    assert len(store.user) == ROWS
    assert {int(code) for code in store.split.unique()} == {0, 1, 2}


def test_roles_kinds_and_split_of_a_whole_shop(shop):
    found = draft(shop["impressions"], shop["users"], shop["items"])
    assert (found.user, found.item, found.time.column, found.time.unit) == ("user_id", "item_id", "shown_at", "datetime")
    assert (found.users, found.items) == ("table 1", "table 2")
    assert found.labels == (Label("click"), Label("conversion", given="click"))
    assert found.positive == "click"
    used = [(line.column, line.entity, line.guess.kind) for line in found.lines if line.used]
    assert used == [
        ("user_id", "user", "Categorical"),
        ("country", "user", "Categorical"),
        ("signup", "user", "Timestamp"),
        ("history", "user", "History"),
        ("item_id", "item", "Categorical"),
        ("brand", "item", "Categorical"),
        ("tags", "item", "MultiCategorical"),
        ("price", "item", "Numeric"),
        ("image", "item", "Vector"),
    ]
    assert [(line.column, line.guess.kind) for line in found.lines if not line.used] == [("description", None), ("position", "Categorical")]
    # Clicks are spread evenly over 40 days: a tenth of them takes 4.
    assert found.split == {"_target_": "recsys.data.split.Temporal", "val_days": 4, "test_days": 4}


def test_tables_are_recognised_in_any_order(shop):
    found = draft(shop["impressions"], shop["items"], shop["users"])
    assert (found.users, found.items) == ("table 2", "table 1")


def test_every_feature_says_why(files, tmp_path):
    main([*files, "--name", "shop"])
    lines = (tmp_path / "conf/data/shop.yaml").read_text().splitlines()
    assert "  - {_target_: recsys.schema.Categorical, column: brand, entity: item}  # string, 3 distinct of 30 rows: Categorical" in lines
    assert any(line.startswith("  # - {_target_: recsys.schema.Categorical, column: position, entity: context}  # int64") for line in lines)
    assert "  # description: string, 2 distinct of 30 rows, 58 characters on average: text" in lines
    assert all("  # " in line for line in lines if line.startswith("  - "))


def test_existing_yaml_is_kept_without_force(files, tmp_path, capsys):
    path = tmp_path / "conf/data/shop.yaml"
    path.write_text("mine")
    assert main([*files, "--name", "shop"]) == 2
    assert path.read_text() == "mine"
    assert "overwrite it with --force" in capsys.readouterr().err
    assert main([*files, "--name", "shop", "--force"]) == 0
    assert path.read_text() != "mine"


def test_root_is_the_common_folder_and_name_comes_from_the_file(files, tmp_path):
    main([str(tmp_path / "data" / "impressions.*"), "data/users.parquet"])
    config = yaml.safe_load((tmp_path / "conf/data/data.yaml").read_text())
    assert (config["root"], config["source"]["interactions"]) == (str(tmp_path / "data"), "impressions.*")
    main([*files])
    config = yaml.safe_load((tmp_path / "conf/data/impressions.yaml").read_text())
    assert (config["root"], config["source"]["users"], config["source"]["items"]) == ("data", "users.parquet", "items.parquet")


def test_missing_and_broken_files_are_named(files, tmp_path, capsys):
    assert main(["data/impresions.parquet"]) == 3
    assert "did you mean 'impressions.parquet'?" in capsys.readouterr().err
    (tmp_path / "data/cut.parquet").write_bytes(b"PAR1 cut off")
    assert main(["data/cut.parquet"]) == 3
    assert "data/cut.parquet" in capsys.readouterr().err


def test_place_that_cannot_be_written_ends_with_6(files, capsys, monkeypatch):
    def refuse(path, content=None):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    assert main([*files, "--name", "shop"]) == 6
    assert "Permission denied" in capsys.readouterr().err


def test_wrong_arguments_exit_with_2(files, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert main([*files, files[0]]) == 2
    assert main([*files, "--out", "nowhere"]) == 2
    assert main([*files, "--name", "my shop"]) == 2


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for option in (
        "INTERACTIONS",
        "TABLE",
        "--name",
        "--out",
        "--user",
        "--item",
        "--time",
        "--separator",
        "--null",
        "--force",
        "exit codes",
    ):
        assert option in shown


def test_csv_columns_of_lists_and_missing_ids(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{row % 6 if row else 'NULL'};{row % 10}" for row in range(60)]
    (tmp_path / "views.csv").write_text("\n".join(["visitor;product", *rows]))
    (tmp_path / "items.csv").write_text(
        "\n".join(["product;genres", *(f"{item};{['a|b', 'b|c|a', 'c', 'a|c'][item % 4]}" for item in range(10))])
    )
    arguments = ["views.csv", "items.csv", "--out", ".", "--separator", ";", "--null", "NULL"]
    assert main(arguments) == 0
    config = yaml.safe_load((tmp_path / "views.yaml").read_text())
    assert config["source"]["lists"] == {"genres": "|"}
    assert (config["source"]["separator"], config["source"]["nulls"]) == (";", ["NULL"])
    assert {"_target_": "recsys.schema.MultiCategorical", "column": "genres", "entity": "item", "max_len": 3} in config["features"]
    assert config["bad_rows"] == "quarantine"
    assert config["split"]["_target_"] == "recsys.data.split.Ratio"


def test_files_of_differing_types_get_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events().write_parquet("a.parquet")
    events().with_columns(pl.col("item_id").cast(pl.String), pl.col("user_id").cast(pl.Int32)).write_parquet("b.parquet")
    assert main(["*.parquet", "--out", ".", "--name", "both"]) == 0
    assert yaml.safe_load((tmp_path / "both.yaml").read_text())["source"]["types"] == {"user_id": "int64", "item_id": "string"}


def test_float_ids_are_read_as_whole_numbers():
    assert draft(events().with_columns(pl.col("user_id").cast(pl.Float64))).types == {"user_id": "int64"}


@pytest.mark.parametrize(
    ("columns", "user", "item"),
    [
        (["CustomerID", "StockCode", "Country"], "CustomerID", "StockCode"),
        (["userId", "movieId", "rating"], "userId", "movieId"),
        (["user_age", "user_id", "item_category_id", "item_id"], "user_id", "item_id"),
        (["session_id", "visitor", "sku"], "visitor", "sku"),
    ],
)
def test_ids_are_found_by_name(columns, user, item):
    found = draft(pl.DataFrame({name: [row % (7 + number) for row in range(60)] for number, name in enumerate(columns)}))
    assert (found.user, found.item) == (user, item)


def test_unknown_id_column_says_what_to_type():
    table = pl.DataFrame({"who": [1, 2, 3], "item_id": [1, 2, 3], "user_feature_0": ["a", "b", "a"]})
    with pytest.raises(DataError, match=r"no column looks like the id of the user(.|\n)*--user COLUMN"):
        draft(table)
    assert draft(table, user="who").user == "who"
    with pytest.raises(DataError, match=r"no column 'wo'; did you mean 'who'\?"):
        draft(table, user="wo")


def test_table_that_shares_no_id_is_refused():
    with pytest.raises(DataError, match=r"no column 'user_id' or 'item_id'; did you mean 'userid'\?\n.*table 1"):
        draft(events(), pl.DataFrame({"userid": [1], "age": [3]}))


def test_table_with_repeated_ids_is_refused():
    with pytest.raises(DataError, match=r"ids are missing or repeated(.|\n)*table 1"):
        draft(events(), pl.DataFrame({"user_id": [1, 1], "age": [3, 4]}))


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("timestamp", [1_700_000_000 + row for row in range(60)], "s"),
        ("timestamp", [(1_700_000_000 + row) * 1_000 for row in range(60)], "ms"),
        ("ts", [(1_700_000_000 + row) * 1_000_000 for row in range(60)], "us"),
        ("event_date", [f"2024-01-{1 + row // 2:02}T10:00:00Z" for row in range(60)], "datetime"),
        ("timestamp", [(1_700_000_000 + row) * 1_000_000_000 for row in range(60)], "ns"),
        ("timestamp", [1_700_000_000.5 + row for row in range(60)], "s"),
        ("timestamp", [880_000_000 + row for row in range(60)], "s"),  # 1997
        ("date", [20_240_101 + row // 2 for row in range(60)], "YYYYMMDD"),
        ("timestamp", [20_240_101_235_900 + row % 60 for row in range(60)], "YYYYMMDDHHMMSS"),
        ("timestamp", [20_240_190 + row for row in range(60)], "rank"),  # days that no month has
        ("seq_pos", list(range(60)), "rank"),
        ("visit_date", [date(1997, 1, 1 + row // 2) for row in range(60)], "datetime"),
        ("visit_date", [date(1957, 1, 1 + row // 2) for row in range(60)], "rank"),
    ],
)
def test_time_and_unit_are_found(name, values, unit):
    time = draft(events(**{name: values})).time
    assert (time.column, time.unit) == (name, unit)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("watch_time", list(range(60))),  # seconds watched
        ("position", list(range(60))),
        ("timestamp", [None] * 10 + list(range(50))),
        ("delivery_date", [datetime(2050, 1, 1 + row // 2) for row in range(60)]),
    ],
)
def test_column_that_orders_nothing_is_no_time(name, values):
    assert draft(events(**{name: values})).time is None


def test_text_of_dates_is_read_as_moments():
    found = draft(events(date=[f"2024-01-{1 + row // 2:02}" for row in range(60)]))
    assert found.types == {"date": "datetime"}
    # 30 days, two rows a day: the last tenth of 60 rows is 3 days.
    assert found.split == {"_target_": "recsys.data.split.Temporal", "val_days": 3, "test_days": 3}


def test_few_rows_without_time_are_set_aside():
    found = draft(events(seq_pos=[None, *range(59)]))
    assert found.time.column == "seq_pos"
    assert (found.bad_rows, found.why["bad_rows"]) == ("quarantine", "1 rows without seq_pos: set aside and counted")


def test_split_leaves_one_out_without_a_calendar_and_history_needs_order():
    ranked = draft(events(seq_pos=list(range(60))))
    assert ranked.split == {"_target_": "recsys.data.split.LeaveOneOut"}
    assert [line.column for line in ranked.lines] == ["user_id", "history", "item_id"]
    unordered = draft(events())
    assert unordered.split["_target_"] == "recsys.data.split.Ratio"
    assert [line.column for line in unordered.lines] == ["user_id", "item_id"]


def test_split_column_is_followed():
    found = draft(events(part=["train"] * 40 + ["test"] * 20))
    assert found.split == {"_target_": "recsys.data.split.Given", "column": "part", "val_share": 0.1, "seed": 0}
    with_val = draft(events(part=["train"] * 40 + ["val"] * 10 + ["test"] * 10))
    assert with_val.split["val_share"] == 0.0


def test_label_is_given_only_what_it_never_lacks():
    # Every purchase is clicked; one of them was never in the cart.
    click, cart, purchase = [1] * 30 + [0] * 30, [1] * 10 + [0] * 50, [0] * 8 + [1] * 3 + [0] * 49
    found = draft(events(purchase=purchase, click=click, cart=cart, member=[0, 1] * 30))
    assert found.labels == (Label("click"), Label("cart", given="click"), Label("purchase", given="click"))
    assert found.positive == "click"


def test_label_is_given_the_nearest_of_a_longer_funnel():
    found = draft(events(click=[1] * 30 + [0] * 30, cart=[1] * 10 + [0] * 50, bought=[1] * 3 + [0] * 57))
    assert [label.given for label in found.labels] == [None, "click", "cart"]


def test_labels_that_are_always_equal_are_given_nothing():
    assert draft(events(click=[1, 0] * 30, visit=[1, 0] * 30)).labels == (Label("click"), Label("visit"))


def test_labels_need_both_values_and_nothing_else():
    assert draft(events(click=[1] * 60, like=[1, 2] * 30)).labels == ()


def test_column_constant_within_the_item_describes_it():
    brands = [f"b{row % 10 % 3}" for row in range(60)]
    lines = {line.column: line for line in draft(events(brand=brands, device=["tv", "web", "app", "tv"] * 15)).lines}
    assert (lines["brand"].entity, lines["brand"].used) == ("item", True)
    assert (lines["device"].entity, lines["device"].used) == ("context", False)


def test_name_that_two_tables_use_is_taken_once():
    users = pl.DataFrame({"user_id": range(6), "country": ["no", "fr"] * 3})
    items = pl.DataFrame({"item_id": range(10), "country": ["de", "it"] * 5})
    lines = [line for line in draft(events(), users, items).lines if line.column == "country"]
    assert [(line.entity, line.used) for line in lines] == [("user", True), ("item", False)]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("category", [row % 40 for row in range(10_000)], "Categorical"),
        ("shop_code", list(range(100)), "Categorical"),
        ("year", [1950 + row % 60 for row in range(600)], "Numeric"),
        ("stock", list(range(100)), "Numeric"),
        ("active", [True, False] * 10, "Categorical"),
        ("price", [0.5 * row for row in range(20)], "Numeric"),
        ("price", [1.0, float("nan")] * 10, None),
        ("brand", ["a", "b"] * 10, "Categorical"),
        ("serial_id", list(range(100)), None),
        ("title", [f"t{row % 60}" for row in range(600)], None),
        ("nickname", [f"n{row}" for row in range(100)], None),
        ("genres", ["a|b", "b|c", "a|c|b", "c"] * 5, "MultiCategorical"),
        ("genres", ["a|b", "b|c|a"] * 10, "MultiCategorical"),
        ("city", ["Paris, France", "Oslo, Norway"] * 10, "Categorical"),
        ("codes", [[1, 2], [3]], "MultiCategorical"),
        ("vector", [[1.0, 2.0], [3.0, 4.0]], "Vector"),
        ("ragged", [[1.0, 2.0], [3.0]], None),
        ("born", [date(1990, 1, 1), date(1991, 1, 1)], "Timestamp"),
        ("born", [date(1990, 1, 1), None], None),
        ("same", ["a", "a"], None),
        ("empty", [None, None], None),
        ("place", [{"x": 1}, {"x": 2}], None),
    ],
)
def test_kind_of_a_column(name, values, kind):
    assert kind_of(name, values) == kind


def test_heavy_tail_takes_the_log_and_missing_numbers_the_median():
    column = table_columns(pl.LazyFrame({"price": [1.0, 2.0, 3.0, None, 100.0]}))["price"]
    # Median of 1, 2, 3, 100 is 2.5, and 100 is more than 20 times that.
    assert guess(column).options == {"log": True, "fill": 2.5}


def test_why_gives_type_and_numbers():
    column = table_columns(pl.LazyFrame({"slot": [row % 40 for row in range(10_000)]}))["slot"]
    assert guess(column).why == "int64, 40 distinct of 10,000 rows: Categorical"
