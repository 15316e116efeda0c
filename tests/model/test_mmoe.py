import math

import pytest
import torch
from torch import nn

from recsys.model.mmoe import MMoE
from recsys.schema import Label, Schema


class OneColumn(nn.Module):
    out_dim = 1

    def forward(self, features):
        return features["x"][:, None]


def test_by_hand():
    schema = Schema("u", "i", labels=(Label("a"), Label("b")))
    model = MMoE(
        2,
        [1],
        tower_hidden=[],
        dropout=0.0,
        input=lambda *, schema: OneColumn(),
        bias_dropout=0.0,
        schema=schema,
        heads=("a", "b"),
    )
    experts, last = model.experts.layers[0], model.towers.last
    experts.weight.data, experts.bias.data = torch.tensor([[[1.0]], [[2.0]]]), torch.tensor([[0.0], [-1.0]])
    model.gates.weight.data = torch.tensor([[[0.0], [0.0]], [[0.0], [math.log(3) / 2]]])
    model.gates.bias.data = torch.zeros(2, 2)
    last.weight.data, last.bias.data = torch.tensor([[[2.0]], [[-1.0]]]), torch.tensor([[1.0], [0.0]])
    outputs = model({"x": torch.tensor([2.0, -1.0])})
    # x = 2: experts relu(2) = 2 and relu(3) = 3. Gate a 1/2, 1/2: 2.5; gate b softmax(0, log 3) = 1/4, 3/4: 2.75
    # x = -1: both experts are off, and what is left is the towers' biases
    assert outputs["a"].tolist() == pytest.approx([2 * 2.5 + 1, 1.0])
    assert outputs["b"].tolist() == pytest.approx([-2.75, 0.0])


def test_experts_and_input_are_shared_but_no_gate(assembled, shared_names, declared_names):
    model = assembled(MMoE, 3, [8], tower_hidden=[8])
    assert declared_names(model) == shared_names(model)
    assert {name.split(".")[0] for name in declared_names(model)} == {"input", "experts"}


def test_one_row_equals_its_part_of_the_batch(assembled, features):
    model = assembled(MMoE, 3, [8, 4], tower_hidden=[6])
    one = model({column: values[2:] for column, values in features.items()})  # without history
    for head, outputs in model(features).items():
        torch.testing.assert_close(one[head], outputs[2:])


def test_trains_under_bfloat16_autocast(assembled, features):
    model = assembled(MMoE, 3, [8], tower_hidden=[6], dropout=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(features)
    assert {values.dtype for values in outputs.values()} == {torch.float32}
    sum(values.sum() for values in outputs.values()).backward()
    assert model.experts.layers[0].weight.grad.isfinite().all()
