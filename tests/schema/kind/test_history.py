"""History: the user's earlier positive items."""

import numpy as np
import polars as pl

from recsys.schema import Categorical, History, MultiCategorical, Statistics
from recsys.schema.kind.history import histories

HISTORY = History("history", "user", of="item_id", max_len=8)


def test_history_has_no_column():
    assert HISTORY.rule("s") is None


def test_it_reads_the_table_and_vocabulary_of_its_item_column():
    assert (HISTORY.table, HISTORY.keeps_vocabulary, HISTORY.is_stored) == ("item_id", False, False)


def test_it_lists_an_item_side_categorical_only():
    items = (Categorical("item_id", "item"), MultiCategorical("tags", "item"))
    assert list(HISTORY.faults(items)) == []
    (fault,) = History("history", "user", of="tags").faults(items)
    assert "'tags'" in fault.what
    assert fault.remedy == "use one of ['item_id']"


def test_raw_words_are_its_five_latest_items_the_last_first():
    vocabulary = pl.Series([None, None, "a", "b", "c", "d", "e", "f"])
    assert HISTORY.raw_words([[2, 3, 4, 5, 6, 7, 1, 0]], vocabulary) == [[None, "f", "e", "d", "c"]]
    assert HISTORY.raw_words([[2]], None) is None


def test_a_table_holds_its_length_and_whether_the_item_is_in_it():
    values = {"history": np.array([[3, 4, 0], [3, 4, 0], [0, 0, 0]]), "item_id": np.array([4, 5, 0])}
    columns = HISTORY.table_columns(values, Statistics("int64", size=6))
    assert columns.tolist() == [[2, 1], [2, 0], [0, 0]]
    assert columns.dtype == np.float32


def test_the_number_of_items_up_to_max_len_may_tell_a_label():
    (reading,) = HISTORY.readings(np.array([3, 99]))
    assert reading.codes.tolist() == [3, 8]


def test_a_request_and_a_card_name_the_item_column():
    assert HISTORY.request_words(Statistics("int64", size=6)) == "History of 'item_id' (user, int64)"
    assert HISTORY.card_words(Statistics("int64", size=6))[0] == "4 of `item_id`, the last 8"


def test_histories_are_found_in_their_order():
    other = History("brands", "user", of="brand")
    assert histories((other, Categorical("item_id", "item"), HISTORY)) == (other, HISTORY)
