import numpy as np
import polars as pl

from recsys.data.store.entities import Entities, first_rows


def test_entities_of_both_tables_are_numbered_by_id():
    table = pl.LazyFrame({"item": [30, 5], "price": [3.0, 0.5], "unread": [1, 2]})
    items = Entities.number("item", pl.Series([20, 30, 20]), table, ["item", "price"])
    assert items.ids.to_list() == [5, 20, 30]
    assert items.codes(pl.Series([20, 30, 5])).tolist() == [2, 3, 1]
    assert items.table["price"].to_list() == [0.5, None, 3.0]  # 20 has no row of its own


def test_ids_of_different_integer_types_are_the_same():
    table = pl.LazyFrame({"item": pl.Series([7], dtype=pl.UInt8)})
    assert Entities.number("item", pl.Series([7], dtype=pl.Int32), table, []).ids.to_list() == [7]


def test_saved_ids_start_with_the_padding(tmp_path):
    Entities.number("user", pl.Series(["b", "a"]), None, []).save(tmp_path / "ids.parquet")
    assert pl.read_parquet(tmp_path / "ids.parquet")["value"].to_list() == [None, "a", "b"]


def test_first_row_is_the_earliest_then_the_first_in_the_file():
    codes, time = np.array([1, 2, 1, 2, 2], dtype=np.int32), np.array([9, 4, 3, 4, 8])
    assert first_rows(codes, time, 2).tolist() == [2, 1]
