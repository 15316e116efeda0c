"""What a model of one schema would misread in batches of another; each case changes one column of the schema of conftest."""

from dataclasses import replace

import pytest

from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Statistics
from recsys.schema.match import differences, misread


def changed(schema, feature=None, statistics=None, **fields):
    """The schema with another feature of the same column, or other statistics of columns."""
    features = tuple(feature if feature is not None and one.column == feature.column else one for one in schema.features)
    return replace(schema, features=features, statistics=schema.statistics | (statistics or {}), **fields)


def without(schema, column):
    return replace(schema, features=tuple(feature for feature in schema.features if feature.column != column))


def test_a_model_reads_batches_of_its_own_schema(schema):
    assert misread(schema, schema) == {}


def test_columns_that_the_model_does_not_read_may_be_anything(schema):
    assert misread(without(schema, "tags"), schema) == {}


def test_a_column_that_is_not_there_is_named_with_the_nearest(schema):
    other = replace(without(schema, "price"), features=(*without(schema, "price").features, Numeric("prices", "item")))
    assert misread(schema, other) == {"price": "there is no such feature; did you mean 'prices'?"}


@pytest.mark.parametrize(
    ("feature", "why"),
    [
        (Categorical("age", "user"), "Numeric was expected, it is Categorical"),
        (MultiCategorical("tags", "item", max_len=3), "another max_len"),
        (History("history", "user", of="item_id", max_len=4), "another max_len"),
    ],
)
def test_another_kind_or_length_is_told(schema, feature, why):
    assert misread(schema, changed(schema, feature)) == {feature.column: why}


@pytest.mark.parametrize(
    ("column", "other", "why"),
    [
        ("user_id", Statistics("int64", size=6), "another vocabulary"),
        ("user_id", Statistics("int64", size=5, vocabulary_sha256="f00"), "another vocabulary"),
        ("user_id", Statistics("string", size=5), "another vocabulary"),  # of hashed values, which then fall into other buckets
        ("history", Statistics("string", size=7), "another vocabulary"),
        ("tags", Statistics("string", size=5), "another vocabulary"),
        ("image", Statistics("float32", size=3), "another width"),
    ],
)
def test_another_meaning_of_an_index_is_told(schema, column, other, why):
    assert misread(schema, changed(schema, statistics={column: other})) == {column: why}


def test_a_number_is_the_same_whatever_a_model_makes_of_it(schema):
    feature = Numeric("price", "item", log=False, quantiles=0, fill=1.0)
    assert misread(schema, changed(schema, feature, {"price": Statistics("float32", mean=9.0, std=3.0)})) == {}


def test_a_history_of_other_events_is_told():
    features = (Categorical("item", "item"), History("history", "user", of="item"))
    statistics = {column: Statistics("int64", 5) for column in ("item", "history")}
    clicks = Schema("user", "item", features=features, labels=(Label("click"), Label("order")), positive="click").fitted(statistics)
    assert misread(clicks, clicks) == {}
    assert misread(clicks, replace(clicks, positive="order")) == {"history": "another data.positive"}


def test_every_column_that_differs_is_named(schema):
    other = changed(without(schema, "signup"), statistics={"user_id": Statistics("int64", size=9), "image": Statistics("float32", size=8)})
    assert list(misread(schema, other)) == ["user_id", "signup", "image"]


FEATURES = (Categorical("user", "user"), Categorical("item", "item"))
SCHEMA = Schema("user", "item", features=FEATURES, labels=(Label("click"),), positive="click").fitted(
    {"user": Statistics("int64", size=5), "item": Statistics("int64", size=6)}
)


def test_a_schema_that_was_written_and_read_is_the_same(tmp_path):
    SCHEMA.save(tmp_path / "schema.json")
    assert differences(SCHEMA, Schema.load(tmp_path / "schema.json")) == []


def test_settings_are_named_by_their_keys():
    assert differences(SCHEMA, replace(SCHEMA, positive=None, session="page")) == ["data.session", "data.positive"]
    assert differences(SCHEMA, replace(SCHEMA, labels=(Label("click"), Label("buy")))) == ["data.labels"]


def test_features_are_named_by_their_columns_on_either_side():
    changed = (Categorical("user", "user", min_count=2), FEATURES[1], Numeric("price", "item"))
    named = ["feature 'user'", "feature 'price'"]
    assert differences(SCHEMA, replace(SCHEMA, features=changed)) == named
    assert sorted(differences(replace(SCHEMA, features=changed), SCHEMA)) == sorted(named)


def test_columns_whose_training_rows_differ_are_named():
    statistics = {**SCHEMA.statistics, "item": Statistics("int64", size=6, vocabulary_sha256="other")}
    assert differences(SCHEMA, SCHEMA.fitted(statistics)) == ["training values of 'item'"]


def test_a_feature_that_is_declared_otherwise_is_named_once():
    changed = replace(SCHEMA, features=(Categorical("user", "user", min_count=2), FEATURES[1]))
    assert differences(SCHEMA, changed.fitted({**SCHEMA.statistics, "user": Statistics("int64", size=4)})) == ["feature 'user'"]


def test_another_order_of_features_is_a_difference():
    assert differences(SCHEMA, replace(SCHEMA, features=FEATURES[::-1])) == ["the order of the features"]
