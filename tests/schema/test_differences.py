from dataclasses import replace

from recsys.schema import Categorical, Label, Numeric, Schema, Statistics
from recsys.schema.differences import differences

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
