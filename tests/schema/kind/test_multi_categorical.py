"""MultiCategorical: a list of values."""

import numpy as np
import polars as pl

from recsys.schema import MultiCategorical, Statistics


def test_lists_are_cut_and_padded_on_the_right(encode, known):
    values = pl.Series([["a", "b", "c"], [], None, ["c"]])
    index = encode(MultiCategorical("c", "item", max_len=2), values, known(["b", "b", "c"]))
    assert index.tolist() == [[1, 2], [0, 0], [0, 0], [3, 0]]
    assert index.dtype == np.int32


def test_list_entries_weigh_as_their_row_does_up_to_the_cut():
    lists = pl.Series([["a", "b", "cut"], [], None, ["b"]])
    statistics, known = MultiCategorical("c", "item", max_len=2).fit(lists, np.array([4, 9, 9, 1]))
    assert known.values.to_list() == [None, None, "b", "a"]
    assert known.counts.to_list() == [0, 0, 5, 4]
    assert statistics.dtype == "string"


def test_list_may_be_ragged_empty_or_missing_but_holds_no_null(broken):
    tags = MultiCategorical("tags", "item")
    assert broken(tags, pl.Series([["a"], ["a", "b"], [], None, ["a", None], [None]])) == {"null inside a list": [4, 5]}


def test_list_holds_no_broken_text(broken):
    tags = MultiCategorical("tags", "item")
    assert broken(tags, pl.Series([["a"], ["a", "b\0"], []])) == {"string with a NUL byte or longer than 1 MB": [1]}


def test_lists_cut_to_max_len_are_counted(tally):
    assert tally(MultiCategorical("tags", "item", max_len=2), pl.Series([[1, 2], [1, 2, 3], list(range(1_000_000)), None])) == [2]


def test_list_must_not_be_text_or_hold_floats():
    tags = MultiCategorical("tags", "item")
    assert tags.rule("s").type_remedy(pl.String()).startswith("set data.source.lists.tags='|'")
    assert tags.rule("s").type_remedy(pl.List(pl.Float64)) == "rewrite the file with pl.col('tags').cast(pl.List(pl.String))"
    assert tags.rule("s").type_remedy(pl.Array(pl.Int32, 3)) is None


def test_raw_words_leave_out_padding_and_unknown_values():
    vocabulary = pl.Series([None, None, "a", "b"])
    assert MultiCategorical("c", "item").raw_words([[3, 1, 2, 0], [0, 0, 0, 0]], vocabulary) == [["b", "a"], []]


def test_a_table_has_an_indicator_for_each_known_value():
    # indices 2 and 3 are known; padding and unknown have no indicator
    columns = MultiCategorical("c", "item").table_columns({"c": np.array([[3, 2, 0], [1, 0, 0]])}, Statistics("string", size=4))
    assert columns.tolist() == [[1, 1], [0, 0]]
    assert columns.dtype == np.float32


def test_a_table_has_at_most_62_indicators_of_a_long_vocabulary():
    # 64 rows of the embedding table, less padding and unknown; the index 70 is beyond them
    columns = MultiCategorical("c", "item").table_columns({"c": np.array([[63, 70]])}, Statistics("string", size=100))
    assert columns.shape == (1, 62)
    assert columns[0].nonzero()[0].tolist() == [61]


def test_its_values_and_its_length_may_tell_a_label():
    values, length = MultiCategorical("c", "item").readings(np.array([[2, 3], [2, 0], [0, 0]]))
    assert values.codes.shape == (3, 2)
    assert length.codes.tolist() == [2, 1, 0]


def test_a_card_says_how_long_lists_are():
    assert MultiCategorical("c", "item", max_len=6).card_words(Statistics("string", size=5))[0] == "3, lists of up to 6"


def test_list_of_integers_beyond_int64_is_a_fault(broken):
    lists = pl.Series([[1, 2], [2**63], None], dtype=pl.List(pl.UInt64))
    assert broken(MultiCategorical("c", "item"), lists) == {"integer beyond int64": [1]}
