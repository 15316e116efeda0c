import numpy as np

from recsys.data.store.events import KeyColumns, event_arrays, history_stops


def key_columns(user, item, time, split, positive):
    dtypes = (np.int32, np.int32, np.int64, np.uint8, bool)
    return KeyColumns(*(np.array(column, dtype=dtype) for column, dtype in zip((user, item, time, split, positive), dtypes)))


# user 1: two events at time 5, a row at time 5 that is none, then time 6; user 2: one event in training, one in validation at the same time
ROWS = key_columns([1, 1, 1, 1, 2, 2], [3, 4, 5, 3, 3, 5], [5, 5, 5, 6, 5, 5], [0, 0, 0, 0, 0, 1], [1, 1, 0, 1, 1, 1])


def test_rows_of_one_moment_do_not_know_each_other():
    # user 1 has 2 events before time 6; user 2's range starts at event 3; its validation row comes after its training event
    assert history_stops(ROWS).tolist() == [0, 0, 0, 2, 3, 4]


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
    reordered = ROWS.ordered(np.array([5, 0]))
    assert [column.tolist() for column in vars(reordered).values()] == [[2, 1], [5, 3], [5, 5], [1, 0], [True, True]]
