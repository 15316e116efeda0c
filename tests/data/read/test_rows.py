from dataclasses import replace

import pytest
import torch

from recsys.data.read.rows import EvaluationUsers, PositiveRows, Sequences
from recsys.data.store import Store

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
