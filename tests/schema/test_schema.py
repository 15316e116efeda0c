"""Schemas: their faults, their file, and columns that a model of one would misread in batches of another."""

from dataclasses import replace

import pytest

from recsys.errors import DataError
from recsys.schema import Categorical, Feature, History, Label, MultiCategorical, Numeric, Schema, Statistics, differences, misread, nearest


def test_round_trip_through_the_file(schema, tmp_path):
    schema.save(tmp_path / "schema.json")
    assert Schema.load(tmp_path / "schema.json") == schema


def test_round_trip_keeps_what_ranking_needs(tmp_path):
    schema = Schema(
        None,
        "item_id",
        features=(Categorical("item_id", "item"), Categorical("position", "bias")),
        labels=(Label("click"), Label("buy", given="click", policy="clip"), Label("spend", given="buy", kind="regression")),
        session="visit",
        positive="click",
    ).fitted({"item_id": Statistics("int64", size=4), "position": Statistics("int64", size=5), "spend": Statistics("float32", mean=3.0)})
    schema.save(tmp_path / "schema.json")
    assert Schema.load(tmp_path / "schema.json") == schema


def test_history_uses_the_table_of_what_it_lists(schema):
    assert schema.table("history") == "item_id"
    assert schema.table("tags") == "tags"


def test_features_of_an_entity_keep_their_order(schema):
    assert [feature.column for feature in schema.of("user")] == ["user_id", "age", "signup", "history"]


def test_every_fault_is_reported_at_once():
    with pytest.raises(DataError) as error:
        Schema(
            "u",
            "i",
            features=(
                Categorical("u", "user"),
                Categorical("u", "user"),
                Categorical("click", "context"),
                History("h", "context", of="itm"),
            ),
            labels=(Label("click"), Label("order", given="clik")),
            positive="clck",
        )
    text = str(error.value)
    assert "feature 'u' is declared 2 times" in text
    assert "'click' is both a feature and a label" in text
    assert "given 'clik', which is no label; did you mean 'click'?" in text
    assert "positive 'clck' is no label; did you mean 'click'?" in text
    assert "history 'h' lists 'itm', which is no item-side Categorical" in text
    assert "history 'h' has entity 'context'" in text


def fault(*, features: tuple[Feature, ...] = (), labels: tuple[Label, ...] = (), user: str | None = "u", item: str | None = "i"):
    """(what, where, remedy) of the only fault."""
    with pytest.raises(DataError) as error:
        Schema(user, item, features=features, labels=labels)
    (found,) = error.value.faults
    return found.what, found.where, found.remedy


def test_a_label_stands_after_the_one_it_is_given():
    what, where, remedy = fault(labels=(Label("buy", given="click"), Label("click")))
    assert what == "label 'buy' stands before 'click', which it is given"
    assert where == "data.labels, column 'buy'"
    assert remedy == "list each label after the one it is given"


def test_a_label_is_not_given_itself():
    assert fault(labels=(Label("buy", given="buy"),))[0] == "label 'buy' stands before 'buy', which it is given"


def test_a_label_is_given_no_number():
    what, where, remedy = fault(labels=(Label("spend", kind="regression"), Label("buy", given="spend")))
    assert what == "label 'buy' is given 'spend', which is a number"
    assert where == "data.labels, column 'buy'"
    assert "0 or 1" in remedy


def test_a_bias_feature_is_categorical():
    what, where, remedy = fault(features=(Numeric("position", "bias"),))
    assert what == "feature 'position' of entity bias is Numeric"
    assert where == "data.features, column 'position'"
    assert remedy.startswith("make it a Categorical")


@pytest.mark.parametrize(("entity", "ids"), [("user", {"user": None}), ("item", {"item": None})])
def test_a_feature_belongs_to_an_entity_that_rows_name(entity, ids):
    what, where, remedy = fault(features=(Categorical("age", entity),), **ids)
    assert what == f"feature 'age' has entity '{entity}', and data.{entity} is null"
    assert where == "data.features, column 'age'"
    assert remedy == f"name the id column in data.{entity}, or set entity: context"


def test_unknown_column_names_the_nearest(schema):
    with pytest.raises(KeyError, match=r"no feature 'itemid'; did you mean 'item_id'\?"):
        schema.feature("itemid")


def test_nearest_is_silent_when_nothing_is_close():
    assert nearest("xyz", ["item_id"]) == ""


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


def test_column_without_a_name_is_a_fault():
    with pytest.raises(DataError) as refused:
        Schema("", "item_id", features=(Categorical("", "context"), Categorical("item_id", "item")))
    assert [fault.what for fault in refused.value.faults] == ["a column without a name", "a feature without a name"]
