from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn

from recsys.optimizer.rowwise_adagrad import RowwiseAdagrad
from recsys.optimizer.schedule import constant
from recsys.optimizer.tables_apart import TablesApart


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.small, self.large, self.linear = nn.Embedding(4, 2), nn.Embedding(8, 2, sparse=True), nn.Linear(2, 1)

    def forward(self, index):
        return self.linear(self.small(index) + self.large(index)).sum()


def apart(model):
    return TablesApart(
        partial(torch.optim.AdamW, lr=0.1),
        partial(torch.optim.AdamW, lr=0.2, weight_decay=0.0),
        sparse_tables=partial(RowwiseAdagrad, lr=0.3),
        module=model,
    )


def test_each_part_gets_its_own_parameters_and_rate():
    model = Model()
    optimizer = apart(model)
    assert [type(part).__name__ for part in optimizer.parts] == ["AdamW", "AdamW", "RowwiseAdagrad"]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2, 0.3]
    assert [
        [p is q for q in (model.linear.weight, model.small.weight, model.large.weight)]
        for p in (group["params"][0] for group in optimizer.param_groups)
    ] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_one_step_moves_every_part_and_a_schedule_reaches_all():
    model = Model()
    optimizer = apart(model)
    schedule = constant(4, optimizer=optimizer, total_steps=10)
    before = [parameter.clone() for parameter in model.parameters()]
    model(torch.tensor([1])).backward()
    optimizer.step()
    schedule.step()
    assert all((old != new).any() for old, new in zip(before, model.parameters()))
    assert [group["lr"] for part in optimizer.parts for group in part.param_groups] == pytest.approx(
        [0.04, 0.08, 0.12]
    )  # 2 of 5 warm-up steps


def test_restored_state_continues_exactly():
    torch.manual_seed(0)
    model, twin = Model(), Model()
    optimizer = apart(model)
    model(torch.tensor([1, 2])).backward()
    optimizer.step()
    twin.load_state_dict(model.state_dict())
    restored = apart(twin)
    restored.load_state_dict(deepcopy(optimizer.state_dict()))
    for each, by in ((model, optimizer), (twin, restored)):
        by.zero_grad()
        each(torch.tensor([2, 3])).backward()
        by.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters()))
