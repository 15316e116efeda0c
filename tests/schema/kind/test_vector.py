"""Vector: a dense vector of one width."""

import numpy as np
import polars as pl
import pytest

from recsys.schema import Statistics, Vector

INF, NAN = float("inf"), float("nan")


def test_vectors_from_lists_and_arrays_with_zeros_where_missing(encode):
    lists = pl.Series([[1.0, 2.0], None, [3.0, 4.0]])
    for values in (lists, lists.cast(pl.Array(pl.Float64, 2))):
        assert encode(Vector("v", "item"), values).tolist() == [[1, 2], [0, 0], [3, 4]]


@pytest.mark.parametrize("bad", [NAN, INF, None])
def test_vector_is_finite_of_one_width_and_present(bad: float | None, broken):
    image = Vector("image", "item")
    values = pl.Series([[1.0, 2.0], [1.0, 2.0, 3.0], None, [bad, 1.0], [5.0, 6.0]])
    assert broken(image, values) == {
        "missing vector": [2],
        "vector of another width than most": [1],
        "null, NaN or infinity in a vector": [3],
    }


def test_vector_may_be_an_array(broken):
    values = pl.Series([[1.0, 2.0], [NAN, 1.0]], dtype=pl.Array(pl.Float32, 2))
    assert broken(Vector("image", "item"), values) == {"null, NaN or infinity in a vector": [1]}
    assert (
        Vector("image", "item").rule("s").type_remedy(pl.List(pl.String))
        == "rewrite the file with pl.col('image').cast(pl.List(pl.Float32))"
    )


def test_vectors_have_their_width():
    assert Vector("v", "item").fit(pl.Series([[1.0, 2.0, 3.0]]), np.array([1])) == (Statistics("float32", size=3), None)


def test_vectors_without_any_row_have_no_width():
    assert Vector("v", "item").fit(pl.Series([], dtype=pl.List(pl.Float32)), None)[0].size == 0


def test_a_table_has_a_column_for_each_number():
    assert Vector("v", "item").table_columns({"v": np.ones((2, 3), np.float32)}, Statistics("float32", size=3)).shape == (2, 3)


def test_no_single_reading_and_no_raw_words():
    assert Vector("v", "item").readings(np.ones((2, 3))) == []
    assert Vector("v", "item").raw_words([[1.0]], None) is None


def test_a_request_and_a_card_name_the_width():
    assert Vector("v", "item").request_words(Statistics("float32", size=1024)) == "Vector of 1024 (item, float32)"
    assert Vector("v", "item").card_words(Statistics("float32", size=1024)) == ("1,024 numbers", "missing: zeros")
