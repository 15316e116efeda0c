import numpy as np
import polars as pl
import pytest

from recsys.data.store.interactions import Entities, KeyColumns, Spool, event_arrays, first_rows, history_stops, stable_order


def key_columns(user, item, time, split, positive):
    dtypes = (np.int32, np.int32, np.int64, np.uint8, bool)
    return KeyColumns(*(np.array(column, dtype=dtype) for column, dtype in zip((user, item, time, split, positive), dtypes)))


# user 1: two events at time 5, a row at time 5 that is none, then time 6; user 2: one event in training, one in validation at the same time
ROWS = key_columns([1, 1, 1, 1, 2, 2], [3, 4, 5, 3, 3, 5], [5, 5, 5, 6, 5, 5], [0, 0, 0, 0, 0, 1], [1, 1, 0, 1, 1, 1])


def test_rows_of_one_moment_do_not_know_each_other():
    # user 1 has 2 events before time 6; user 2's range starts at event 3; both of its events are of one moment
    assert history_stops(ROWS).tolist() == [0, 0, 0, 2, 3, 3]


def test_a_history_ends_before_what_is_not_strictly_earlier():
    # user 1 trains at 1, 4 and 9, is validated at 5 and tested at 3 and 10; user 2 trains at 2 and is tested at 7
    user, time, split = [1, 1, 1, 1, 1, 1, 2, 2], [1, 4, 9, 5, 3, 10, 2, 7], [0, 0, 0, 1, 2, 2, 0, 2]
    rows = key_columns(user, [3] * 8, time, split, [1] * 8)
    assert history_stops(rows).tolist() == [0, 1, 2, 2, 1, 5, 6, 7]


def test_without_time_the_order_of_splits_counts():
    assert history_stops(key_columns([1, 1, 1], [3, 4, 5], [0, 0, 0], [0, 0, 1], [1, 1, 1])).tolist() == [0, 0, 2]


def test_events_are_the_positive_rows_as_ranges_per_user():
    arrays = {name: values.tolist() for name, values in event_arrays(ROWS, num_users=3, num_items=5).items()}
    assert arrays == {
        "event_row": [0, 1, 3, 4, 5],
        "event_item": [3, 4, 3, 3, 5],
        "event_time": [5, 5, 6, 5, 5],
        "event_split": [0, 0, 0, 0, 1],
        "event_start": [0, 0, 3, 5, 5],
        "item_count": [0, 0, 0, 3, 1, 0],  # item 5's only event is in validation
    }


def test_reordering_moves_every_column():
    reordered = ROWS.in_order(np.array([5, 0]))
    assert [column.tolist() for column in vars(reordered).values()] == [[2, 1], [5, 3], [5, 5], [1, 0], [True, True]]


@pytest.mark.parametrize("sorted_by_time", [False, True])
def test_order_equals_numpy_lexsort_with_ties(sorted_by_time):
    random = np.random.default_rng(0)
    group, time = random.integers(0, 5, 200).astype(np.int32), random.integers(0, 10, 200)
    time = np.sort(time) if sorted_by_time else time
    assert np.array_equal(stable_order(group, time), np.lexsort((time, group)))


def test_order_of_nothing_is_empty():
    assert stable_order(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)).tolist() == []


def test_columns_come_back_in_file_order_with_their_types(tmp_path):
    frame = pl.LazyFrame({"id": ["b", None, "a"], "list": [[1], [], None], "unread": [1, 2, 3]})
    spool = Spool.write(frame, ["list", "id", "list"], tmp_path / "spool.arrow")
    assert spool.column("id").to_list() == ["b", None, "a"]
    assert spool.column("list").to_list() == [[1], [], None]
    assert pl.scan_ipc(spool.path).collect_schema().names() == ["list", "id"]


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
