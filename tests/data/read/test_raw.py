"""What a store no longer knows of its rows is read from the source again; the shop is that of conftest.py."""

from dataclasses import replace

import polars as pl
import pytest

from recsys.data.read.raw import raw_categories
from recsys.data.store.prepare import prepare
from recsys.errors import IntegrityError
from recsys.schema import Categorical, MultiCategorical


def read(source, store, cut, bad_rows="fail"):
    return {column: values.to_list() for column, values in raw_categories(source, store, cut, bad_rows=bad_rows).items()}


def prepared(source, schema, cut, folder, bad_rows="fail"):
    return prepare(source, schema, cut, folder=folder, bad_rows=bad_rows, max_unknown_share=0.5, max_feature_auc=0.99)


def test_values_are_those_of_the_tables_by_entity_and_by_row(source, store, cut):
    assert read(source, store, cut) == {
        "user": [None, "ann", "bob", "cid", "dora", "eve"],  # eve is in no row, dora in none of training
        "gender": [None, "f", "m", "m", "f", "x"],
        "item": [None, "a", "b", "c", "d", "e"],
        "tags": [None, ["red", "new"], [], ["red"], ["blue"], ["red", "blue", "new"]],  # whole, where the model reads two
        # rows 0 1 2 5 8 10 | 3 4 6 9 12 | 7 | 11
        "device": ["phone", "web", "phone", "phone", "phone", "tablet", "web", "phone", "tablet", "web", "phone", "phone", "web"],
    }


def test_hashed_values_and_columns_of_entities_without_a_table_are_read_too(source, shop_schema, cut, tmp_path):
    (source.root / "items.parquet").unlink()
    features = (Categorical("gender", "user", buckets=3), Categorical("device", "item", buckets=3))
    store = prepared(source, replace(shop_schema, features=features), cut, tmp_path / "store")
    # the first rows of a, b, c and d are 0, 1, 4 and 9
    assert read(source, store, cut) == {"gender": [None, "f", "m", "m", "f", "x"], "device": [None, "phone", "web", "phone", "web"]}


def test_rows_that_were_set_aside_are_left_out_again(source, shop_schema, cut, tmp_path):
    path = source.root / "interactions.parquet"
    frame = pl.read_parquet(path).with_row_index()
    frame.with_columns(user=pl.when(pl.col("index") == 5).then(None).otherwise("user")).drop("index").write_parquet(path)
    store = prepared(source, shop_schema, cut, tmp_path / "store", "quarantine")
    assert read(source, store, cut, "quarantine")["device"][:5] == ["phone", "web", "phone", "phone", "tablet"]  # 0 1 2 8 10


def test_other_tables_are_refused(source, store, cut):
    path = source.root / "users.parquet"
    pl.read_parquet(path).with_columns(gender=pl.lit("f")).write_parquet(path)
    with pytest.raises(IntegrityError, match="the source gives other tables than those that the data was prepared from"):
        read(source, store, cut)


def test_rows_that_are_divided_otherwise_are_refused(source, store, cut):
    with pytest.raises(IntegrityError, match="the source's rows are not those that were prepared"):
        read(source, store, replace(cut, val_start="2024-01-07"))


def test_lists_of_arrays_are_read(source, shop_schema, cut, tmp_path):
    path = source.root / "items.parquet"
    pairs = pl.Series([["x", "y"]] * 5, dtype=pl.Array(pl.String, 2))
    pl.read_parquet(path).with_columns(tags=pairs).write_parquet(path)
    store = prepared(source, replace(shop_schema, features=(MultiCategorical("tags", "item", max_len=1),)), cut, tmp_path / "store")
    assert read(source, store, cut)["tags"] == [None, *[["x", "y"]] * 5]
