"""What a store no longer knows of its categories stands beside it, and in the run's folder; the shop is that of conftest.py."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recsys.data.store.prepare import prepare
from recsys.data.store.raw_categories import RAW_CATEGORIES, RawCategories, copy_raw_categories
from recsys.errors import IntegrityError
from recsys.schema import Categorical, History, MultiCategorical


def prepared(source, schema, cut, folder, bad_rows="fail"):
    return prepare(source, schema, cut, folder=folder, bad_rows=bad_rows, max_unknown_share=0.5, max_feature_auc=0.99)


@pytest.fixture
def read(tmp_path):
    """{column: raw values} of a store at {column: entity indices or rows}, by way of a run directory."""
    run = tmp_path / "run"
    run.mkdir()

    def values(store, index):
        copy_raw_categories(store, run)
        raw = RawCategories.read(run, store)
        return {column: raw.values(column, np.array(numbers)).to_list() for column, numbers in index.items()}

    return values


def test_values_are_those_of_the_tables_by_entity_and_by_row(store, read):
    # rows 0 1 2 5 8 10 | 3 4 6 9 12 | 7 | 11 of the file; the test rows are 10, 12 and 11, of ann, bob and dora
    assert read(store, {"gender": [4, 2, 1, 1], "tags": [0, 1, 2, 3, 4, 5], "device": [5, 10, 12]}) == {
        "gender": ["f", "m", "f", "f"],
        "tags": [None, ["red", "new"], [], ["red"], ["blue"], ["red", "blue", "new"]],  # whole, where the model reads two
        "device": ["tablet", "phone", "web"],
    }


def test_ids_are_those_of_every_user_and_item(store, read):
    assert read(store, {"user": [0, 5, 3], "item": [2, 0]}) == {"user": [None, "eve", "cid"], "item": ["b", None]}


def test_the_earliest_row_describes_an_entity_without_a_table(source, shop_schema, cut, tmp_path, read):
    (source.root / "items.parquet").unlink()
    features = (Categorical("gender", "user", buckets=3), Categorical("device", "item", buckets=3))
    store = prepared(source, replace(shop_schema, features=features), cut, tmp_path / "store")
    # the first rows of a, b, c and d are 0, 1, 4 and 9; of hashed columns a store keeps buckets alone
    assert read(store, {"gender": [1, 4], "device": [1, 2, 3, 4]}) == {"gender": ["f", "f"], "device": ["phone", "web", "phone", "web"]}


def test_rows_that_were_set_aside_do_not_count(source, shop_schema, cut, tmp_path, read):
    path = source.root / "interactions.parquet"
    frame = pl.read_parquet(path).with_row_index()
    frame.with_columns(user=pl.when(pl.col("index") == 5).then(None).otherwise("user")).drop("index").write_parquet(path)
    store = prepared(source, shop_schema, cut, tmp_path / "store", "quarantine")
    assert read(store, {"device": [4, 9, 11]}) == {"device": ["tablet", "phone", "web"]}  # one row less before each


@pytest.fixture
def one_of_each(monkeypatch):
    """One test user, one item and one test row are kept."""
    monkeypatch.setattr("recsys.data.store.raw_categories.MOST_ENTITIES", 1)
    monkeypatch.setattr("recsys.data.store.raw_categories.MOST_ROWS", 1)


def test_what_is_compared_is_kept_and_nothing_else(one_of_each, store, read):
    # row 10: ann and d; item a; the first test user is ann
    assert read(store, {"gender": [1], "tags": [1, 4], "device": [5]}) == {
        "gender": ["f"],
        "tags": [["red", "new"], ["blue"]],
        "device": ["tablet"],
    }
    for column, number in (("gender", 2), ("tags", 2), ("device", 10), ("device", 0)):
        with pytest.raises(IntegrityError, match=rf"(?s)'{column}' lacks 1 of 1 .*{RAW_CATEGORIES}.*train again"):
            read(store, {column: [number]})


def test_a_history_of_a_category_may_name_any_item(one_of_each, source, shop_schema, cut, tmp_path, read):
    features = (*shop_schema.features, Categorical("price_band", "item"), History("bands", "user", of="price_band", max_len=2))
    path = source.root / "items.parquet"
    pl.read_parquet(path).with_columns(price_band=pl.Series(["low", "low", "high", "high", "top"])).write_parquet(path)
    store = prepared(source, replace(shop_schema, features=features), cut, tmp_path / "store")
    assert read(store, {"price_band": [5, 0, 3]}) == {"price_band": ["top", None, "high"]}  # no row of training is of e


def test_types_of_the_source_are_kept(source, shop_schema, cut, tmp_path, read):
    path = source.root / "users.parquet"
    types = {"age": pl.Int8, "gender": pl.Enum(["f", "m", "x"])}
    lists = pl.Series("codes", [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], dtype=pl.Array(pl.Int16, 2))
    pl.read_parquet(path).cast(types).with_columns(lists).write_parquet(path)
    features = (Categorical("age", "user"), Categorical("gender", "user"), MultiCategorical("codes", "user", max_len=1))
    store = prepared(source, replace(shop_schema, features=features), cut, tmp_path / "store")
    assert read(store, {"age": [4], "gender": [2], "codes": [1]}) == {"age": [50], "gender": ["m"], "codes": [[1, 2]]}


def test_a_run_of_before_is_told_to_train_again(store, tmp_path):
    with pytest.raises(IntegrityError, match=rf"(?s){RAW_CATEGORIES}.*train again"):
        RawCategories.read(tmp_path, store)


def test_a_damaged_file_is_named(store, tmp_path):
    (tmp_path / RAW_CATEGORIES).write_bytes(b"PAR1 cut off")
    with pytest.raises(IntegrityError, match=RAW_CATEGORIES):
        RawCategories.read(tmp_path, store)
    pl.DataFrame({"__entity": ["user"]}).write_parquet(tmp_path / RAW_CATEGORIES)
    with pytest.raises(IntegrityError, match=RAW_CATEGORIES + ".*__index.*gender"):
        RawCategories.read(tmp_path, store)
