from dataclasses import replace

import pytest
import torch

from recsys.data.read.facts import activity, columns_without_unknown, item_slices, popularity, user_slices
from recsys.errors import ConfigError
from recsys.schema import Categorical


def with_events(store, per_user):
    """The store with this many training events of each user, all of item a."""
    count = sum(per_user)
    starts = torch.tensor([0, 0, *per_user]).cumsum(0)
    return replace(store, event_split=torch.zeros(count, dtype=torch.uint8), event_start=starts)


def test_activity_bounds(store):
    codes = activity(with_events(store, [0, 1, 5, 6, 20, 21, 300]))
    assert codes.values == ("new", "1-5", "6-20", "21+")
    assert codes.codes.tolist() == [-1, 0, 1, 1, 2, 2, 3, 3]


def test_activity_counts_training_events_only(store):
    # ann and bob have 3 each in training; dora's only event is in the test
    assert activity(store).codes.tolist() == [-1, 1, 1, 0, 0, 0]


def test_popularity_thirds_of_training_events(store):
    # 9 events in thirds of 3; an item belongs where its first one falls, item 4 has none
    count = torch.tensor([0, 1, 2, 2, 0, 2, 2])
    codes = popularity(replace(store, item_count=count))
    assert codes.values == ("head", "mid", "tail", "new")
    # by count, then index: item 2 begins after 0 events, 3 after 2, 5 after 4, 6 after 6, 1 after 8
    assert codes.codes.tolist() == [-1, 2, 0, 0, 3, 1, 2]


def test_columns_by_value_with_unknown_values_in_no_group(store):
    gender = user_slices(store)[2]
    assert (gender.name, gender.values) == ("gender", ("f", "m"))
    assert gender.codes.tolist() == [-1, 0, 1, 1, 0, -1]  # eve's x was not in training


def test_item_columns_by_value(store):
    _, item = item_slices(store, ["item"])
    assert item.values == ("a", "b", "c")
    assert item.codes.tolist() == [-1, 0, 1, 2, -1, -1]


def test_user_columns_are_those_with_few_values(store, monkeypatch):
    assert [part.name for part in user_slices(store)] == ["activity", "user", "gender"]
    monkeypatch.setattr("recsys.data.read.facts.MAX_VALUES", 1)
    assert [part.name for part in user_slices(store)] == ["activity"]


def test_wrong_columns_are_refused_together(store, monkeypatch):
    monkeypatch.setattr("recsys.data.read.facts.MAX_VALUES", 2)
    with pytest.raises(ConfigError, match=r"'itme' is no Categorical of items; did you mean 'item'\?[\s\S]*'item' has 3 values") as refused:
        item_slices(store, ["itme", "item"])
    assert {fault.where for fault in refused.value.faults} == {"loader.slice_columns"}


def test_a_column_of_users_divides_no_items(store):
    with pytest.raises(ConfigError, match="'gender' is no Categorical of items") as refused:
        item_slices(store, ["gender"])
    (fault,) = refused.value.faults
    assert "use some of ['item']" in fault.remedy


def test_hashed_columns_have_no_values_to_name(store):
    features = tuple(replace(entry, buckets=4) if isinstance(entry, Categorical) else entry for entry in store.schema.features)
    hashed = replace(store, schema=replace(store.schema, features=features))
    assert [part.name for part in user_slices(hashed)] == ["activity"]


def test_columns_of_which_training_reads_no_unknown_value(store):
    """Users who train have no unknown id, and what is unknown of others does not count; an unknown item of the catalogue does."""
    trains = torch.tensor([False, True, True, False, False, False])  # ann and bob
    gender, item = torch.full((store.num_users + 1,), 2), torch.full((store.num_items + 1,), 2)
    column = {"user": store.schema.user, "item": store.schema.item}

    def columns(gender, item):
        users, items = {**store.user_features, "gender": gender}, {**store.item_features, column["item"]: item}
        return columns_without_unknown(replace(store, user_features=users, item_features=items))

    assert {column["user"], column["item"], "gender"} <= columns(gender, item)
    assert "gender" in columns(gender.masked_fill(~trains, 1), item)
    assert "gender" not in columns(gender.masked_fill(trains, 1), item)
    assert column["item"] not in columns(gender, item.index_fill(0, torch.tensor([1]), 1))
