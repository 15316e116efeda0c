import pytest
import torch

from recsys.data.read.loading import EvaluationSteps, StepSampler, TrainingSteps
from recsys.data.read.order import Order
from recsys.data.read.rows import EvaluationUsers, PositiveRows
from recsys.errors import DataError


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
