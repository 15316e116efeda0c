import numpy as np
import pytest
import torch

from recsys.data.read.negatives import NegativeSample
from recsys.data.read.order import Order
from recsys.errors import ConfigError


def epoch(order, number=0):
    steps = range(number * order.steps_per_epoch, (number + 1) * order.steps_per_epoch)
    rows, weight = torch.cat([order.rows(step) for step in steps]), torch.cat([order.weight(step) for step in steps])
    return rows, weight


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_every_row_once_per_epoch_over_all_ranks(world_size):
    taken, steps = [], set()
    for rank in range(world_size):
        order = Order(10, 4, seed=7, world_size=world_size, rank=rank)
        rows, weight = epoch(order, number=2)
        assert len(rows) == 3 * 4 // world_size
        steps.add(order.steps_per_epoch)
        taken += rows[weight == 1].tolist()
    assert steps == {3}
    assert sorted(taken) == list(range(10))


def test_the_last_step_is_filled_with_row_zero_and_weight_zero():
    order = Order(5, 4, seed=0)
    assert order.rows(1)[1:].tolist() == [0, 0, 0]
    assert order.weight(0).tolist() == [1, 1, 1, 1]
    assert order.weight(1).tolist() == [1, 0, 0, 0]


def test_ranks_share_the_batch_of_one_process():
    whole = Order(20, 6, seed=1)
    parts = [Order(20, 6, seed=1, world_size=3, rank=rank) for rank in range(3)]
    for step in (0, 2, 5):
        assert torch.stack([part.rows(step) for part in parts], dim=1).flatten().tolist() == whole.rows(step).tolist()


def test_a_step_is_the_same_whatever_was_asked_before():
    asked, fresh = Order(100, 10, seed=3), Order(100, 10, seed=3)
    for step in (25, 0, 11):
        asked.rows(step)
    assert torch.equal(asked.rows(13), fresh.rows(13))


def test_epochs_and_seeds_shuffle_differently():
    order = Order(50, 50, seed=0)
    first, second, other = order.rows(0), order.rows(1), Order(50, 50, seed=1).rows(0)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, torch.arange(50))


@pytest.mark.parametrize("world_size", [1, 2])
def test_epochs_of_a_sample_are_of_one_length_over_all_ranks(world_size):
    sample = NegativeSample(np.arange(10) >= 4, kept=3)  # rows 0 to 3, and three of the other six
    orders = [Order(10, 4, seed=7, world_size=world_size, rank=rank, sample=sample) for rank in range(world_size)]
    epochs = []
    for number in range(3):
        parts = [epoch(order, number) for order in orders]
        epochs.append(sorted(row for rows, weight in parts for row in rows[weight == 1].tolist()))
    assert {order.steps_per_epoch for order in orders} == {2}
    assert all(rows[:4] == [0, 1, 2, 3] and len(set(rows)) == len(rows) == 7 for rows in epochs)
    assert len({tuple(rows) for rows in epochs}) == 3


def test_epochs_are_the_shuffles_that_finished_runs_were_trained_with():
    # numpy's own Generator(Philox(key=[5, epoch])).permutation(6): a resumed run relies on them
    order = Order(6, 6, seed=5)
    assert [order.rows(step).tolist() for step in (0, 1, 2)] == [[4, 5, 3, 0, 2, 1], [4, 1, 0, 3, 2, 5], [3, 0, 5, 2, 4, 1]]
    assert order.rows(0).tolist() == [4, 5, 3, 0, 2, 1]


def test_epochs_of_a_sample_are_the_same_in_every_process():
    # of the same generator: choice(3..7, 2, replace=False, shuffle=False), then permutation of rows 0 1 2 and these
    sample = NegativeSample(np.arange(8) >= 3, kept=2)
    epochs = [Order(8, 5, seed=5, sample=sample).rows(step).tolist() for step in (0, 1, 2)]
    assert epochs == [[3, 1, 2, 6, 0], [6, 2, 0, 1, 7], [6, 0, 1, 2, 7]]


def test_a_sample_is_shuffled_among_the_other_rows():
    sample = NegativeSample(np.arange(100) >= 50, kept=10)
    first, _ = epoch(Order(100, 60, seed=0, sample=sample))
    at = (first >= 50).nonzero().flatten()
    assert at.min() < 15
    assert at.max() > 45


def test_a_batch_that_processes_cannot_share_is_refused():
    with pytest.raises(ConfigError, match=r"got batch_size 10 for 4[\s\S]*loader\.batch_size[\s\S]*choose a multiple of 4"):
        Order(100, 10, seed=0, world_size=4)
    with pytest.raises(ConfigError, match=r"got batch_size 0 for 1[\s\S]*loader\.batch_size"):
        Order(100, 0, seed=0)
