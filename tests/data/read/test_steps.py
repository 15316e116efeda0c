"""Rows of each step: the order of rows, the share of negatives, and the batches of training and evaluation, in the shop of conftest."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recsys.data.read.datamodule import DataModule
from recsys.data.read.rows import EvaluationUsers, PositiveRows
from recsys.data.read.steps import EvaluationSteps, NegativeSample, Order, StepSampler, TrainingSteps, negative_sample
from recsys.errors import ConfigError, DataError
from recsys.schema import Label, Schema


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


def test_the_last_step_is_filled_with_the_first_rows_of_its_epoch_at_weight_zero():
    order = Order(5, 4, seed=0)
    assert order.rows(1)[1:].tolist() == order.rows(0)[:3].tolist()  # not one row many times, which a queue of positives would keep
    assert Order(2, 8, seed=0).rows(0).tolist() == 4 * Order(2, 8, seed=0).rows(0)[:2].tolist()
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


def test_a_step_is_the_rows_that_the_order_names(store):
    rows, order = PositiveRows(store), Order(6, 4, seed=5)
    steps = TrainingSteps(rows, order)
    assert len(steps) == 2
    assert torch.equal(steps[3].item, rows.batch(order.rows(3)).item)


def test_rows_that_fill_up_a_step_weigh_nothing(store):
    assert TrainingSteps(PositiveRows(store), Order(6, 4, seed=5))[1].weight.tolist() == [1, 1, 0, 0]


def test_steps_go_on_where_training_stands():
    taken = iter([0, 3, 5])
    sampler = StepSampler(3, lambda: next(taken))
    assert len(sampler) == 3
    assert [list(sampler), list(sampler), list(sampler)] == [[0, 1, 2], [3, 4, 5], [5, 6, 7]]


def test_every_user_is_in_one_batch_of_one_process(store):
    users = EvaluationUsers(store, "test")  # ann and dora
    parts = [EvaluationSteps(users, 1, world_size=2, rank=rank) for rank in range(2)]
    assert [len(part) for part in parts] == [1, 1]
    assert [part[0].user.tolist() for part in parts] == [[1], [4]]


@pytest.mark.parametrize("rank", [0, 2])
def test_every_process_refuses_a_split_that_leaves_one_without_work(store, rank):
    with pytest.raises(DataError, match="a split has 2 users or impressions to evaluate, fewer than the 3 processes"):
        EvaluationSteps(EvaluationUsers(store, "test"), 1, world_size=3, rank=rank)


class FiveUsers:
    def __len__(self):
        return 5

    def batch(self, index):
        return index.tolist()


def test_the_last_batch_of_users_is_not_filled_up():
    steps = EvaluationSteps(FiveUsers(), 2)
    assert [steps[step] for step in range(len(steps))] == [[0, 1], [2, 3], [4]]


NAN = float("nan")
CLICK = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, NAN]  # six negatives (0 2 3 4 6 7), two positives (1 5), a row without the label (8)
FUNNEL = (Label("click"), Label("buy", given="click"))


def sampled(share, labels=FUNNEL, click=CLICK):
    columns = {label.column: torch.tensor(click) for label in labels}
    split = torch.zeros(len(click), dtype=torch.uint8)
    return negative_sample(SimpleNamespace(schema=Schema("user", "item", labels=labels), labels=columns, split=split), share)


def drawn(sample, seed):
    return sorted(sample.draw(np.random.default_rng(seed)).tolist())


def refused(*arguments):
    """(what, where, remedy) of the one fault."""
    with pytest.raises(ConfigError) as caught:
        sampled(*arguments)
    (fault,) = caught.value.faults
    return fault.what, fault.where, fault.remedy


def test_every_epoch_reads_all_other_rows_and_as_many_negatives():
    sample = sampled(0.5)
    epochs = [drawn(sample, seed) for seed in range(40)]
    for rows in epochs:
        assert {1, 5, 8} < set(rows)
        assert len(set(rows)) == len(rows) == sample.num_rows == 6
    # each of the six negatives is in about half of the epochs
    times = np.bincount(np.concatenate(epochs), minlength=9)[[0, 2, 3, 4, 6, 7]]
    assert times.min() > 8
    assert times.sum() == 40 * 3


def test_the_share_is_that_of_whole_rows():
    assert sampled(0.4).kept == 2  # of 2.4
    assert sampled(0.45).kept == 3  # of 2.7
    assert sampled(0.4).share == pytest.approx(1 / 3)


def test_all_rows_are_no_sample():
    assert sampled(1.0) is None
    assert sampled(1.0, (Label("click"), Label("like"))) is None


def test_only_training_rows_are_left_out(store):
    sample = negative_sample(store, 0.5)
    # ann's rows 0 1 2 5, bob's 3 4 6, cid's 7; the last negative, row 12, is of the test
    assert sample.negative.tolist() == [False, True, False, False, False, False, False, True]
    assert (sample.kept, sample.num_rows) == (1, 7)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match=f"keep_negatives is {share}"):
        DataModule(None, batch_size=1, eval_batch_size=1, num_workers=0, seed=0, keep_negatives=share)


def test_a_share_that_keeps_no_row_is_refused():
    what, where, remedy = refused(0.05)
    assert what == "0.05 of the 6 training rows where 'click' is 0 is no row"
    assert where == "task.keep_negatives"
    assert "larger share" in remedy


def test_two_labels_that_are_given_no_other_are_refused():
    what, where, remedy = refused(0.5, (Label("click"), Label("like"), Label("buy", given="click")))
    assert what.startswith("'click', 'like' are each given no other label: ")
    assert "how often the rest occur" in what
    assert where == "task.keep_negatives"
    assert "data.labels" in remedy


def test_a_first_label_that_is_a_number_is_refused():
    what, where, _ = refused(0.5, (Label("spend", kind="regression"),))
    assert what == "'spend', which is given no other label, is a number: no row is its negative"
    assert where == "task.keep_negatives"
