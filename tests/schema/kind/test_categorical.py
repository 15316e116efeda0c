"""Categorical: one value out of many."""

import numpy as np
import polars as pl

from recsys.schema import Categorical, Statistics


def test_categories_become_their_index(encode, known):
    assert encode(Categorical("c", "user"), pl.Series(["y", None, "q"]), known(["x", "y", "y"])).tolist() == [2, 1, 1]


def test_booleans_are_zero_and_one(encode, known):
    assert encode(Categorical("c", "user"), pl.Series([True, False, None]), known([1, 1, 0])).tolist() == [2, 3, 1]


def test_hashed_categories_stay_below_their_table_size(encode):
    index = encode(Categorical("c", "user", buckets=3), pl.Series(range(100)))
    assert set(index.tolist()) == {2, 3, 4}


def test_vocabulary_of_a_category():
    statistics, known = Categorical("c", "user", min_count=2).fit(pl.Series(["x", "y", "z"]), np.array([2, 1, 5]))
    assert known.values.to_list() == [None, None, "z", "x"]
    assert statistics == Statistics("string", size=4)


def test_hashed_categories_have_a_size_and_no_vocabulary():
    assert Categorical("c", "user", buckets=10).fit(pl.Series([True]), np.array([1])) == (Statistics("bool", size=12), None)


def test_category_may_be_missing_or_negative_but_not_broken_text(broken):
    brand = Categorical("brand", "item")
    assert broken(brand, pl.Series([None, -1])) == {}
    assert broken(brand, pl.Series(["a", None, "\0"])) == {"string with a NUL byte or longer than 1 MB": [2]}


def test_category_must_not_be_a_float_or_a_date():
    brand = Categorical("brand", "item")
    assert brand.rule("s").type_remedy(pl.Float64()) == (
        "set data.source.types.brand=int64, or rewrite the file with pl.col('brand').cast(pl.Int64) or declare it Numeric in data.features"
    )
    assert brand.rule("s").type_remedy(pl.Date()).startswith("set data.source.types.brand=string")
    assert brand.rule("s").type_remedy(pl.Boolean()) is None


def test_raw_words_are_values_of_the_vocabulary_and_none_where_hashed():
    vocabulary = pl.Series([None, None, "red"])
    assert Categorical("c", "item").raw_words([2, 1, 0], vocabulary) == ["red", None, None]
    assert Categorical("c", "item", buckets=3).raw_words([2, 1], None) is None


def test_a_table_holds_the_index_as_a_category():
    columns = Categorical("c", "item").table_columns({"c": np.array([4, 0])}, Statistics("string", size=5))
    assert columns.tolist() == [[4], [0]]
    assert columns.dtype == np.int64


def test_its_index_is_its_only_reading():
    (reading,) = Categorical("c", "item").readings(np.array([3, 1]))
    assert (reading.codes.tolist(), reading.numbers) == ([3, 1], None)


def test_a_card_says_how_many_values_are_known():
    # 5 rows of the table, less padding and unknown
    assert Categorical("c", "item", min_count=3).card_words(Statistics("string", size=5)) == (
        "3",
        'not in training, or in fewer than 3 training rows, or missing: the value "unknown"',
    )
    assert Categorical("c", "item", buckets=1000).card_words(Statistics("string", size=1002))[0] == "hashed into 1,000 buckets"


def test_only_a_column_without_buckets_keeps_a_vocabulary():
    assert [Categorical("c", "item", buckets=buckets).keeps_vocabulary for buckets in (0, 7)] == [True, False]
