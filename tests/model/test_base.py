from dataclasses import replace

import pytest
import torch
from torch import nn

from recsys.errors import ConfigError
from recsys.model.aitm import AITM
from recsys.model.base import PositionBias, Ranker
from recsys.model.mmoe import MMoE
from recsys.model.ple import PLE
from recsys.model.shared_bottom import SharedBottom
from recsys.model.single_task import SingleTask
from recsys.schema import Categorical, Schema, Statistics

HEADS = ("click", "basket", "conversion", "rating", "conversion/imputation")


class Fixed(Ranker):
    """The raw outputs 1, 2, 3, ... of every head, in bfloat16 as under autocast."""

    def raw_outputs(self, features):
        return torch.arange(1.0, 1 + len(self.heads), dtype=torch.bfloat16).expand(len(features["user_id"]), -1)

    def shared_modules(self):
        return [nn.Linear(2, 2)]


def test_logits_are_raw_and_a_regression_is_on_the_scale_of_its_label(funnel, features):
    outputs = Fixed(0.0, schema=funnel, heads=HEADS)(features)
    assert list(outputs) == list(HEADS)
    assert {values.dtype for values in outputs.values()} == {torch.float32}
    # rating: 3.5 + 2 * 4
    assert {head: values.tolist() for head, values in outputs.items()} == {
        "click": [1.0] * 3,
        "basket": [2.0] * 3,
        "conversion": [3.0] * 3,
        "rating": [11.5] * 3,
        "conversion/imputation": [5.0] * 3,
    }


def test_bias_columns_move_labels_that_are_given_no_other(funnel, features):
    model = Fixed(0.0, schema=funnel, heads=HEADS)
    nn.init.constant_(model.bias.tables[0].weight[4], 10.0)  # position of the second row
    outputs = model(features)
    assert outputs["click"].tolist() == [1.0, 11.0, 1.0]
    assert outputs["rating"].tolist() == [11.5, 31.5, 11.5]  # 3.5 + 2 * (4 + 10)
    for head, raw in {"basket": 2.0, "conversion": 3.0, "conversion/imputation": 5.0}.items():
        assert outputs[head].tolist() == [raw] * 3


def test_absent_bias_columns_answer_like_unknown_ones(funnel, features):
    model = Fixed(0.0, schema=funnel, heads=HEADS)
    nn.init.normal_(model.bias.tables[0].weight)
    unknown = model({**features, "position": torch.ones(3, dtype=torch.int64)})
    del features["position"]
    absent = model(features)
    for head in HEADS:
        assert torch.equal(absent[head], unknown[head])
    assert (absent["click"] != 1.0).all()


def test_without_bias_columns_there_is_no_bias(funnel):
    model = Fixed(0.0, schema=replace(funnel, features=funnel.of("user", "item")), heads=HEADS)
    assert model.bias is None
    assert model({"user_id": torch.tensor([2])})["click"].tolist() == [1.0]


def test_one_head_shares_with_nobody(funnel):
    alone = replace(funnel, labels=funnel.labels[:1])
    assert len(Fixed(0.0, schema=funnel, heads=HEADS).shared_parameters()) == 2
    assert Fixed(0.0, schema=alone, heads=("click",)).shared_parameters() == []


def test_heads_that_do_not_begin_with_the_labels_are_refused(funnel):
    with pytest.raises(ValueError, match=r"begin with the schema's labels .*'rating'\), got \('conversion/imputation'"):
        Fixed(0.0, schema=funnel, heads=HEADS[::-1])
    with pytest.raises(ConfigError, match="no label to predict"):
        Fixed(0.0, schema=replace(funnel, labels=()), heads=("x",))


def bias(dropout=0.0):
    schema = Schema("u", "i", features=(Categorical("position", "bias"), Categorical("u", "user"), Categorical("page", "bias")))
    built = PositionBias(schema.fitted({"position": Statistics("int64", size=4), "page": Statistics("int64", size=3)}), 2, dropout=dropout)
    built.tables[0].weight.data = torch.tensor([[9.0, 9.0], [0.1, 0.2], [1.0, 2.0], [3.0, 4.0]])
    built.tables[1].weight.data = torch.tensor([[9.0, 9.0], [10.0, 20.0], [30.0, 40.0]])
    return built


def test_effects_of_all_bias_columns_add_up():
    features = {"position": torch.tensor([2, 3]), "page": torch.tensor([2, 1]), "u": torch.tensor([0, 0])}
    assert bias()(features).tolist() == [[31.0, 42.0], [13.0, 24.0]]


def test_absent_column_counts_as_unknown():
    assert bias()({"position": torch.tensor([2, 3])}).tolist() == [[11.0, 22.0], [13.0, 24.0]]
    assert bias()({"u": torch.tensor([0, 0])}).flatten().tolist() == pytest.approx([10.1, 20.2])


def test_share_of_training_rows_is_unknown_in_all_columns_together():
    torch.manual_seed(0)
    built = bias(dropout=0.25)
    features = {"position": torch.full((4_000,), 3), "page": torch.full((4_000,), 2)}
    first = built(features)[:, 0]
    forgotten = (first - 10.1).abs() < 1e-4
    assert ((first == 33.0) | forgotten).all()
    assert forgotten.float().mean().item() == pytest.approx(0.25, abs=0.035)  # 5 standard errors
    assert (built.eval()(features)[:, 0] == 33.0).all()


def test_starts_at_zero():
    schema = Schema("u", "i", features=(Categorical("position", "bias"),)).fitted({"position": Statistics("int64", size=4)})
    assert PositionBias(schema, 2, dropout=0.0).tables[0].weight.abs().sum() == 0


def test_unknown_learns_the_average_effect():
    schema = Schema("u", "i", features=(Categorical("position", "bias"),)).fitted({"position": Statistics("int64", size=4)})
    torch.manual_seed(0)
    built = PositionBias(schema, 1, dropout=0.5)
    features = {"position": torch.tensor([2, 2, 2, 3] * 100)}
    values = torch.tensor([1.0, 1.0, 1.0, -1.0] * 100)  # mean 0.5
    optimizer = torch.optim.SGD(built.parameters(), lr=0.3)
    for _ in range(100):
        optimizer.zero_grad()
        (built(features)[:, 0] - values).square().mean().backward()
        optimizer.step()
    assert built({}).item() == pytest.approx(0.5, abs=0.05)
    assert built.eval()(features)[[0, 3], 0].tolist() == pytest.approx([1.0, -1.0], abs=0.02)


RANKERS = {
    "aitm": (AITM, [8], {}),
    "mmoe": (MMoE, 3, [8], {"tower_hidden": [8]}),
    "ple": (PLE, 2, 1, {"expert_hidden": [8], "levels": 2, "tower_hidden": [8]}),
    "shared_bottom": (SharedBottom, [8], [6], {}),
    "single_task": (SingleTask, [6], {}),
}


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_is_one_graph_on_a_device(assembled, features, name):
    """torch.compile takes it whole, gradients included. The device is `meta`, which takes the branches of a GPU and computes nothing."""
    ranker, *sizes, named = RANKERS[name]
    model = assembled(ranker, *sizes, dropout=0.1, **named).to("meta").train()
    explained = torch._dynamo.explain(model)({column: values.to("meta") for column, values in features.items()})
    assert (explained.graph_count, explained.graph_break_count) == (1, 0), explained.break_reasons
