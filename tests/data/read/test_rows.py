"""Batches of training events, of users and of sequences, and of users at their first page, in the shop of conftest."""

from dataclasses import replace

import pytest
import torch

from recsys.data.read.rows import EvaluationUsers, FirstPages, PositiveRows, Sequences, first_rows
from recsys.data.split import Temporal
from recsys.data.store import Store
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical

# entity a b c d e = 1..5; vocabulary index of the item id: a 2, b 3, c 4, d and e unknown (1)


def everything(rows):
    return rows.batch(torch.arange(len(rows)))


def lists(features):
    return {column: values.tolist() for column, values in features.items()}


def test_positive_rows_are_the_training_clicks(store):
    batch = everything(PositiveRows(store))
    assert batch.user.tolist() == [1, 1, 1, 2, 2, 2]
    assert batch.item.tolist() == [1, 2, 3, 1, 3, 2]
    assert batch.weight.tolist() == [1.0] * 6
    assert batch.labels == {}


def test_positive_rows_know_only_what_came_strictly_before(store):
    # ann clicks a, b, c and bob a, c, b; max_len 2 keeps the most recent, oldest first
    assert everything(PositiveRows(store)).features["history"].tolist() == [[0, 0], [2, 0], [2, 3], [0, 0], [2, 0], [2, 4]]


def test_positive_rows_carry_user_features(store):
    features = lists(everything(PositiveRows(store)).features)
    assert features["gender"] == [2, 2, 2, 3, 3, 3]
    assert features["age"] == [20.0, 20.0, 20.0, 30.0, 30.0, 30.0]
    assert list(features) == ["user", "gender", "age", "signup", "history"]


def test_indices_are_int64_and_numbers_float32(store):
    batch = everything(PositiveRows(store))
    kinds = {column: values.dtype for column, values in batch.features.items()}
    assert kinds.pop("age") == torch.float32
    assert {*kinds.values(), batch.user.dtype, batch.item.dtype} == {torch.int64}


def test_rows_come_in_the_order_asked_for(store):
    batch = PositiveRows(store).batch(torch.tensor([4, 0, 4]))
    assert batch.item.tolist() == [3, 1, 3]
    assert batch.features["history"].tolist() == [[2, 0], [0, 0], [2, 0]]


def test_windows_are_cut_from_the_end_and_hold_every_training_event_once(store):
    # ann a, b, c -> [a] and [b, c]; bob a, c, b -> [a] and [c, b]
    batch = everything(Sequences(store, 2))
    assert batch.user.tolist() == [1, 1, 2, 2]
    assert batch.item.tolist() == [[1, 0], [2, 3], [1, 0], [3, 2]]
    assert batch.features["history"].tolist() == [[2, 0], [3, 4], [2, 0], [4, 3]]


def test_a_window_says_what_came_strictly_before_where_events_share_a_moment(store):
    assert everything(Sequences(store, 2)).seen is None
    # ann's b and c, events 1 and 2, now at one moment
    shared = store.history_stop.clone()
    shared[store.event_row[2]] = 1
    rows = Sequences(replace(store, history_stop=shared), 2)
    assert everything(rows).seen[:2].tolist() == [[0, 0], [0, 0]]  # c may not know b
    assert everything(Sequences(replace(store, history_stop=shared), 3)).seen[0].tolist() == [0, 1, 1]


def test_a_window_that_begins_within_a_moment_knows_nothing_of_what_stands_before_it(store):
    # ann's a and b, events 0 and 1, now at one moment; the windows are [a], [b, c] and bob's [a], [c, b], of events 0, 1-2, 5, 6-7
    shared = store.history_stop.clone()
    shared[store.event_row[1]] = 0
    # b is at event 1 and knows none of events 0, which is before its window; padding knows nothing either
    assert everything(Sequences(replace(store, history_stop=shared), 2)).seen.tolist() == [[0, 0], [0, 1], [0, 0], [0, 1]]


@pytest.mark.parametrize("length", [1, 3, 4, 50])
def test_windows_of_any_length_hold_the_same_events(store, length):
    batch = everything(Sequences(store, length))
    assert batch.item.shape == (len(batch.user), min(length, 3))  # no window is longer than 3 events
    held = [(user, item) for user, items in zip(batch.user.tolist(), batch.item.tolist()) for item in items if item]
    assert held == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 3), (2, 2)]


def test_evaluation_users_know_what_came_before_the_split(store):
    batch = everything(EvaluationUsers(store, "val"))
    assert batch.user.tolist() == [1, 2]
    assert batch.known.tolist() == [[0, 0, 0, 1, 1, 1], [1, 2, 3, 1, 2, 3]]
    assert batch.relevant.tolist() == [[0, 1], [1, 4]]
    assert batch.features["history"].tolist() == [[3, 4], [4, 3]]


def test_test_users_know_validation_too(store):
    # ann's events until the test: a, b, c and a again; dora has none; bob's test row is no click
    batch = everything(EvaluationUsers(store, "test"))
    assert batch.user.tolist() == [1, 4]
    assert batch.known.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert batch.relevant.tolist() == [[0, 1], [4, 1]]
    assert batch.features["history"].tolist() == [[4, 2], [0, 0]]
    assert batch.features["gender"].tolist() == [2, 2]


def test_pairs_are_numbered_within_the_batch(store):
    batch = EvaluationUsers(store, "val").batch(torch.tensor([1]))
    assert batch.known.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert batch.relevant.tolist() == [[0], [4]]


def test_a_user_without_earlier_events_has_no_pairs(store):
    batch = EvaluationUsers(store, "test").batch(torch.tensor([1]))
    assert batch.known.shape == (2, 0)
    assert batch.known.dtype == torch.int64


@pytest.mark.gpu
def test_batches_of_a_store_on_the_accelerator_are_the_same_and_stay_there(store: Store):
    moved = store.to(torch.device("cuda"))
    for make in (PositiveRows, lambda store: Sequences(store, 2), lambda store: EvaluationUsers(store, "test")):
        here, there = everything(make(store)), everything(make(moved))
        assert there.user.device.type == "cuda"
        assert lists(there.features) == lists(here.features)
        assert there.user.tolist() == here.user.tolist()


@pytest.fixture
def long_validation(source, shop_schema, tmp_path):
    """The shop, validated from the 5th on: ann's rows are on the 5th and 9th, bob's on the 6th and 9th, cid's on the 7th."""
    cut = Temporal(val_start="2024-01-05", test_start="2024-01-12")
    return prepare(source, shop_schema, cut, folder=tmp_path / "long", bad_rows="fail", max_unknown_share=1.0, max_feature_auc=1.0)


def test_context_is_that_of_the_first_row(long_validation):
    pages = FirstPages(long_validation, "val")
    batch = pages.batch(torch.arange(len(pages)))
    assert batch.user.tolist() == [1, 2]  # cid was shown something and chose nothing
    devices = long_validation.vocabulary("device")[batch.features["device"].numpy()]
    assert devices.to_list() == ["phone", None]  # bob's tablet stands in no training row; his web row comes later


def test_users_are_those_of_the_retrieval_evaluation(store):
    number = torch.tensor([1, 0])
    page, user = FirstPages(store, "test").batch(number), EvaluationUsers(store, "test").batch(number)
    assert page.features.keys() - user.features.keys() == {"device"}
    for column, values in user.features.items():
        assert page.features[column].tolist() == values.tolist()
    for name in ("user", "known", "relevant"):
        assert vars(page)[name].tolist() == vars(user)[name].tolist()


def test_bias_columns_are_not_known_before_the_page_is_shown(store):
    features = (*store.schema.features[:-1], Categorical("device", "bias"))
    pages = FirstPages(replace(store, schema=replace(store.schema, features=features)), "test")
    assert "device" not in pages.batch(torch.tensor([0])).features


def test_first_rows_are_by_user(store):
    # rows stand by user: ann 0-5, bob 6-10, cid 11, dora 12; the last of ann's and of bob's are in the test
    assert first_rows(store, "test").tolist() == [-1, 5, 10, -1, 12, -1]
    assert first_rows(store, "val").tolist() == [-1, 4, 9, -1, -1, -1]
