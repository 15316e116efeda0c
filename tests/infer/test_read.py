"""Questions about files and texts, and the answers that are options of the command line."""

from datetime import datetime, timedelta

import polars as pl
import pytest
import yaml

from recsys.infer.__main__ import main

START = datetime(2024, 1, 1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, where everything is read and written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def infer(*arguments: str) -> dict:
    """The yaml of a data set that is called x."""
    assert main([*arguments, "--out", ".", "--name", "x", "--force"]) == 0
    with open("x.yaml") as file:
        return yaml.safe_load(file)


def question(capsys, *arguments: str) -> str:
    """What is printed where no yaml is written."""
    assert main([*arguments, "--out", ".", "--name", "x", "--force"]) == 3
    return capsys.readouterr().err


def write(path, header: str, row, number: int = 120, separator: str = ",") -> None:
    """A text file of `row(number)` fields."""
    lines = [header, *(separator.join(map(str, row(place))) for place in range(number))]
    path.write_text("\n".join(line for line in lines if line) + "\n")


def events(place: int) -> tuple:
    return place % 6, place % 10, START + timedelta(hours=7 * place)


def test_separator_and_decimal_comma(here):
    write(here / "a.csv", "\ufeffcustomer_id;article_id;order_date", events, separator=";")
    write(here / "b.csv", "article_id;price", lambda item: (item, f"{9 + item},{['00', '50'][item % 2]}"), 10, ";")
    config = infer("a.csv", "b.csv")
    assert (config["source"]["separator"], config["source"]["decimal"]) == (";", ",")
    assert {"_target_": "recsys.schema.Numeric", "column": "price", "entity": "item"} in config["features"]


@pytest.mark.parametrize("price", ["€ 12", "12 %", "1,299.50"])
def test_numbers_in_other_words_are_asked_about(here, capsys, price):
    write(here / "a.csv", "user_id;item_id;timestamp", events, separator=";")
    write(here / "b.csv", "item_id;price", lambda item: (item, price), 10, ";")
    said = question(capsys, "a.csv", "b.csv")
    assert price in said
    assert "--type price=string" in said
    assert infer("a.csv", "b.csv", "--type", "price=string")["source"]["types"]["price"] == "string"


def test_decimal_comma_that_could_be_a_list_is_asked_about(here, capsys):
    write(here / "a.csv", "user_id;item_id;timestamp", events, separator=";")
    write(here / "b.csv", "item_id;size", lambda item: (item, ["1,5", "2,25"][item % 2]), 10, ";")
    assert "--decimal ," in question(capsys, "a.csv", "b.csv")
    assert infer("a.csv", "b.csv", "--decimal", ",")["source"]["decimal"] == ","


@pytest.mark.parametrize("text", ["\\N", "NULL", "none", "-"])
def test_text_among_numbers_is_asked_about_with_its_count(here, capsys, text):
    write(here / "a.csv", "user_id,item_id,timestamp", lambda place: (text if place % 8 == 0 else place % 6, *events(place)[1:]))
    said = question(capsys, "a.csv")
    assert f"'{text}' in 15 rows" in said  # every eighth of 120
    assert f"--null '{text}'" in said
    config = infer("a.csv", f"--null={text}")
    assert config["source"]["nulls"] == [text]
    assert config["bad_rows"] == "quarantine"


def test_null_text_among_names_is_asked_about(here, capsys):
    write(here / "a.csv", "user_id,item_id,timestamp", lambda place: ("NULL" if place % 8 == 0 else f"u{place % 6}", *events(place)[1:]))
    assert "'NULL' in 15 rows" in question(capsys, "a.csv")
    assert infer("a.csv", "--type", "user_id=string")["source"]["nulls"] == []


def test_leading_zeros_are_text_even_after_the_first_rows(here, monkeypatch):
    monkeypatch.setattr("recsys.source.base.INFERENCE_ROWS", 10)
    ids = [place % 10 if place < 20 else f"00{place % 10}" for place in range(120)]
    write(here / "a.csv", "user_id,item_id,timestamp", lambda place: (place % 6, ids[place], events(place)[2]))
    assert infer("a.csv")["source"]["types"]["item_id"] == "string"


@pytest.mark.parametrize("header", ["user_id, item_id, timestamp", " user_id ,item_id,timestamp"])
def test_blanks_are_no_reason_to_stop(here, header):
    write(here / "a.csv", header, events, separator=", ")
    config = infer("a.csv")
    assert (config["user"], config["item"], config["time"], config["time_unit"]) == ("user_id", "item_id", "timestamp", "datetime")


def test_first_line_that_is_data_is_asked_about(here, capsys):
    write(here / "u.data", "", lambda place: (place % 6 + 1, place % 10, place % 5, 880_000_000 + 86_400 * place), separator="\t")
    assert "--columns with 4 names" in question(capsys, "u.data")
    config = infer("u.data", "--columns", "user_id,item_id,rating,timestamp")
    assert (config["source"]["header"], config["source"]["columns"]) == (False, ["user_id", "item_id", "rating", "timestamp"])
    assert config["time_unit"] == "s"


def test_encoding_is_asked_about_with_file_and_byte(here, capsys):
    lines = ["user_id,item_id,timestamp,title", *(",".join(map(str, (*events(place), "Caf\xe9"))) for place in range(120))]
    (here / "a.csv").write_bytes("\n".join(lines).encode("latin-1"))
    said = question(capsys, "a.csv")
    assert "a.csv, line 2, byte " in said
    assert "--encoding" in said
    assert infer("a.csv", "--encoding", "latin-1")["source"]["encoding"] == "latin-1"


def test_backslash_before_a_quote_and_utf_16_are_seen(here):
    lines = ['"user_id";"item_id";"title"', *(f'"{place % 6}";"{place % 10}";"a \\"b\\"; c"' for place in range(120))]
    (here / "a.csv").write_text("\n".join(lines), encoding="utf-16")
    source = infer("a.csv")["source"]
    assert (source["separator"], source["escape"], source["encoding"]) == (";", "\\", "utf-16")


def test_days_and_months_that_may_be_either_are_asked_about(here, capsys):
    write(here / "a.csv", "user_id,item_id,date", lambda place: (place % 6, place % 10, f"0{1 + place % 9}/0{1 + place % 7}/2024"))
    assert "--format date='%d/%m/%Y'" in question(capsys, "a.csv")
    assert infer("a.csv", "--format", "date=%m/%d/%Y")["source"]["formats"] == {"date": "%m/%d/%Y"}


def test_format_of_moments_is_written(here):
    write(here / "a.csv", "user_id,item_id,at", lambda place: (*events(place)[:2], f"{events(place)[2]:%d.%m.%Y %H:%M}"))
    source = infer("a.csv")["source"]
    assert (source["types"], source["formats"]) == ({"at": "datetime"}, {"at": "%d.%m.%Y %H:%M"})


def test_published_split_in_files_is_followed(here):
    for part, places in (("train", range(90)), ("valid", range(90, 105)), ("test", range(105, 120))):
        pl.DataFrame([events(place) for place in places], schema=["user_id", "item_id", "timestamp"], orient="row").write_parquet(
            here / f"shop_{part}.parquet"
        )
    config = infer("shop_*.parquet")
    parts = {"train": "shop_train.parquet", "val": "shop_valid.parquet", "test": "shop_test.parquet"}
    assert config["source"]["interactions"] == parts
    assert config["split"] == {"_target_": "recsys.data.split.Given", "column": "split", "val_share": 0.0, "seed": 0}


def test_files_of_several_behaviours_are_asked_about(here, capsys):
    for name in ("buy_train", "buy_test", "cart"):
        pl.DataFrame([events(place) for place in range(60)], schema=["user_id", "item_id", "timestamp"], orient="row").write_parquet(
            here / f"{name}.parquet"
        )
    said = question(capsys, "*.parquet")
    assert "2 behaviours" in said
    assert "cart.parquet" in said
    assert set(infer("buy_*.parquet")["source"]["interactions"]) == {"train", "test"}


def test_binary_ids_are_asked_about(here, capsys):
    frame = pl.DataFrame([events(place) for place in range(120)], schema=["user_id", "item_id", "timestamp"], orient="row")
    frame.with_columns(pl.format("u{}", "user_id").cast(pl.Binary).alias("user_id")).write_parquet(here / "a.parquet")
    assert "--type user_id=string" in question(capsys, "a.parquet")
    assert infer("a.parquet", "--type", "user_id=string")["user"] == "user_id"


def test_float_ids_that_have_lost_digits_are_refused(here, capsys):
    frame = pl.DataFrame([events(place) for place in range(120)], schema=["user_id", "item_id", "timestamp"], orient="row")
    frame.with_columns(pl.col("item_id") * 1e16).write_parquet(here / "a.parquet")
    assert "float id that is no exact integer" in question(capsys, "a.parquet")
