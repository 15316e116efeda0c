import pytest

from recsys.errors import DataError
from recsys.schema import Categorical, History, Label, Schema, nearest


def test_round_trip_through_the_file(schema, tmp_path):
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


def test_unknown_column_names_the_nearest(schema):
    with pytest.raises(KeyError, match=r"no feature 'itemid'; did you mean 'item_id'\?"):
        schema.feature("itemid")


def test_nearest_is_silent_when_nothing_is_close():
    assert nearest("xyz", ["item_id"]) == ""
