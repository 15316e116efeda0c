"""Which rows of each feature kind break its rule, on frames of a few rows."""

import polars as pl
import pytest

from recsys.data.check.feature_rules import feature_rule
from recsys.schema import Categorical, Feature, History, MultiCategorical, Numeric, Timestamp, Vector

INF, NAN = float("inf"), float("nan")


def broken(feature: Feature, values: pl.Series) -> dict[str, list[int]]:
    """{what: row numbers} of every check that some row of the feature's column breaks."""
    frame = values.alias(feature.column).to_frame()
    checks = feature_rule(feature, "s").checks(frame.schema)
    found = {check.what: frame.select(bad=check.bad.fill_null(False))["bad"].arg_true().to_list() for check in checks}
    return {what: rows for what, rows in found.items() if rows}


def type_remedy(feature: Feature, dtype: pl.DataType) -> str | None:
    return feature_rule(feature, "s").type_remedy(dtype)


def said(feature: Feature, values: pl.Series) -> list[int]:
    """Number of every tally."""
    frame = values.alias(feature.column).to_frame()
    return [frame.select(tally.number.cast(pl.Int64)).item() for tally in feature_rule(feature, "s").tallies(frame.schema)]


def test_history_has_no_column():
    assert feature_rule(History("history", "user", of="item_id"), "s") is None


def test_category_may_be_missing_or_negative_but_not_broken_text():
    brand = Categorical("brand", "item")
    assert broken(brand, pl.Series([None, -1])) == {}
    assert broken(brand, pl.Series(["a", None, "\0"])) == {"string with a NUL byte or longer than 1 MB": [2]}


def test_category_must_not_be_a_float_or_a_date():
    brand = Categorical("brand", "item")
    assert type_remedy(brand, pl.Float64()) == (
        "set data.source.types.brand=int64, or rewrite the file with pl.col('brand').cast(pl.Int64) or declare it Numeric in data.features"
    )
    assert type_remedy(brand, pl.Date()).startswith("set data.source.types.brand=string")
    assert type_remedy(brand, pl.Boolean()) is None


def test_number_is_finite_and_fits_float32():
    price = Numeric("price", "item")
    values = pl.Series([1.0, NAN, INF, -INF, 1e39, 3e38, None])
    assert broken(price, values) == {"missing number": [6], "number that is NaN, infinite or beyond float32": [1, 2, 3, 4]}


def test_number_may_be_missing_where_fill_stands_for_it():
    assert broken(Numeric("price", "item", fill=0.0), pl.Series([1.0, None])) == {}


def test_number_outside_its_range_is_named_once():
    price = Numeric("price", "item", low=0, high=1e6)
    assert broken(price, pl.Series([0.0, 1e6, -0.5, 1e30, NAN, INF, -INF])) == {
        "number that is NaN, infinite or beyond float32": [4, 5, 6],
        "number below low=0": [2],
        "number above high=1e+06": [3],
    }


def test_number_may_be_boolean_or_integer_but_not_text():
    price = Numeric("price", "item", low=0)
    assert broken(price, pl.Series([True, False])) == {}
    assert broken(price, pl.Series([3, -3])) == {"number below low=0": [1]}
    assert (
        type_remedy(price, pl.String()) == "set data.source.types.price=float64, or rewrite the file with pl.col('price').cast(pl.Float64)"
    )


def test_number_with_one_value_is_mentioned():
    assert said(Numeric("price", "item"), pl.Series([2.0, 2.0, None])) == [1]
    assert said(Numeric("price", "item"), pl.Series([2.0, 2.5])) == [0]


def test_list_may_be_ragged_empty_or_missing_but_holds_no_null():
    tags = MultiCategorical("tags", "item")
    assert broken(tags, pl.Series([["a"], ["a", "b"], [], None, ["a", None], [None]])) == {"null inside a list": [4, 5]}


def test_list_holds_no_broken_text():
    tags = MultiCategorical("tags", "item")
    assert broken(tags, pl.Series([["a"], ["a", "b\0"], []])) == {"string with a NUL byte or longer than 1 MB": [1]}


def test_lists_cut_to_max_len_are_counted():
    assert said(MultiCategorical("tags", "item", max_len=2), pl.Series([[1, 2], [1, 2, 3], list(range(1_000_000)), None])) == [2]


def test_list_must_not_be_text_or_hold_floats():
    tags = MultiCategorical("tags", "item")
    assert type_remedy(tags, pl.String()).startswith("set data.source.lists.tags='|'")
    assert type_remedy(tags, pl.List(pl.Float64)) == "rewrite the file with pl.col('tags').cast(pl.List(pl.String))"
    assert type_remedy(tags, pl.Array(pl.Int32, 3)) is None


@pytest.mark.parametrize("bad", [NAN, INF, None])
def test_vector_is_finite_of_one_width_and_present(bad: float | None):
    image = Vector("image", "item")
    values = pl.Series([[1.0, 2.0], [1.0, 2.0, 3.0], None, [bad, 1.0], [5.0, 6.0]])
    assert broken(image, values) == {
        "missing vector": [2],
        "vector of another width than most": [1],
        "null, NaN or infinity in a vector": [3],
    }


def test_vector_may_be_an_array():
    values = pl.Series([[1.0, 2.0], [NAN, 1.0]], dtype=pl.Array(pl.Float32, 2))
    assert broken(Vector("image", "item"), values) == {"null, NaN or infinity in a vector": [1]}
    assert type_remedy(Vector("image", "item"), pl.List(pl.String)) == "rewrite the file with pl.col('image').cast(pl.List(pl.Float32))"


def test_timestamp_is_a_moment_or_an_integer_in_the_unit_of_time():
    signup = Timestamp("signup", "user")
    assert broken(signup, pl.Series([0, None])) == {"missing time": [1]}
    assert type_remedy(signup, pl.Int64()) is None
    assert type_remedy(signup, pl.Date()) is None
    assert feature_rule(signup, "rank").type_remedy(pl.Int64()) == "rewrite the file with pl.from_epoch('signup', time_unit='s')"
    assert type_remedy(signup, pl.String()).startswith("set data.source.types.signup=datetime")
