"""A teacher that says what it is told to. Logit 0 is a probability of 1/2, log 3 of 3/4."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from recsys.batch import Batch
from recsys.calibration.platt import Platt
from recsys.errors import ConfigError
from recsys.schema import Categorical, Label, Schema, Statistics
from recsys.task.ranking.teacher import Teacher, teacher_faults

NAN = float("nan")
FUNNEL = (Label("click"), Label("buy", given="click"), Label("spend", given="buy", kind="regression"))
SCHEMA = Schema("user", "item", features=(Categorical("item", "item"),), labels=FUNNEL).fitted({"item": Statistics("int64", size=5)})


class Told(nn.Module):
    """Answers each head with a column of the batch; a part of it drops out in training."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.dropout = nn.Dropout(0.9)

    def forward(self, features):
        return {column: self.scale * self.dropout(values) for column, values in features.items()}


def teacher(weight=0.5, slope=1.0):
    calibrations = {"click": Platt(), "buy": Platt()}
    calibrations["click"].load({"slope": slope, "intercept": 0.0})
    return Teacher(Told().train(), calibrations, labels=FUNNEL, weight=weight)


def batch(weight=(1.0, 1.0), **told):
    """Two rows, the second without a click, so that a purchase was never observed there; nothing is known of spend."""
    labels = {"click": torch.tensor([1.0, 0.0]), "buy": torch.tensor([1.0, 0.0]), "spend": torch.tensor([NAN, NAN])}
    answers = {"click": [0.0, 0.0], "buy": [0.0, 0.0], "spend": [0.0, 0.0]} | told
    features = {column: torch.tensor(values) for column, values in answers.items()}
    return Batch(features, labels, torch.tensor(weight), torch.ones(2), torch.ones(2))


def student(**outputs):
    answers = {"click": [0.0, 0.0], "buy": [0.0, 0.0], "spend": [0.0, 0.0]} | outputs
    return {column: torch.tensor(values, requires_grad=True) for column, values in answers.items()}


def test_a_binary_label_costs_the_cross_entropy_of_both_probabilities():
    losses = teacher().losses(student(click=[math.log(3), 0.0]), batch(click=[0.0, math.log(3)]))
    # q = 1/2, p = 3/4: -(log 3/4 + log 1/4) / 2; q = 3/4, p = 1/2: log 2
    first = -(math.log(3 / 4) + math.log(1 / 4)) / 2
    assert losses["click"].item() == pytest.approx((first + math.log(2)) / 2, rel=1e-6)


def test_the_probability_is_the_calibrated_one():
    outputs = student(click=[math.log(9), 0.0])
    teacher(slope=2.0).losses(outputs, batch(click=[math.log(3), 0.0]))["click"].backward()
    # slope 2 makes log 3 into log 9: teacher and student agree
    assert outputs["click"].grad.tolist() == pytest.approx([0.0, 0.0], abs=1e-7)


def test_a_label_is_learnt_where_it_was_never_observed():
    outputs = student()
    teacher().losses(outputs, batch(buy=[0.0, math.log(3)]))["buy"].backward()
    assert outputs["buy"].grad.tolist() == pytest.approx([0.0, (1 / 2 - 3 / 4) / 2])


def test_a_number_costs_its_squared_distance():
    losses = teacher().losses(student(spend=[3.0, 5.0]), batch(spend=[1.0, 5.0]))
    assert losses["spend"].item() == pytest.approx((4 + 0) / 2)


def test_rows_count_by_their_weight():
    told = batch(weight=(3.0, 1.0), spend=[2.0, 4.0])
    assert teacher().losses(student(), told)["spend"].item() == pytest.approx((3 * 4 + 16) / 4)
    assert teacher().losses(student(), batch(weight=(0.0, 0.0)))["click"].item() == 0


def test_a_teacher_is_in_evaluation_and_is_not_taught():
    own = teacher()
    outputs = student()
    answers = {own.losses(outputs, batch(click=[4.0, -1.0]))["click"].item() for _ in range(5)}
    assert len(answers) == 1  # nothing drops out
    sum(own.losses(outputs, batch()).values()).backward()
    assert own.model.scale.grad is None
    assert not own.model.scale.requires_grad


def test_a_teacher_answers_on_the_device_of_its_student():
    own = teacher()
    own.to(torch.device("meta"))
    assert {parameter.device.type for parameter in own.model.parameters()} == {"meta"}
    assert {buffer.device.type for part in own.calibrations.values() for buffer in part.buffers()} == {"meta"}


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(ConfigError, match=f"the teacher's weight is {weight}[\\s\\S]*teacher\\.weight[\\s\\S]*teacher\\.run=null"):
        teacher(weight)


def test_a_teacher_of_the_same_schema_is_taken_whatever_else_it_predicts():
    more = replace(SCHEMA, labels=(*FUNNEL, Label("like")))
    assert list(teacher_faults(SCHEMA, SCHEMA)) == []
    assert list(teacher_faults(more, SCHEMA)) == []


def test_every_column_and_label_that_differs_is_named():
    other = Schema(
        "user",
        "item",
        features=(Categorical("item", "item"), Categorical("brand", "item")),
        labels=(Label("click"), Label("buy"), Label("spend", given="click", kind="regression")),
    ).fitted({"item": Statistics("int64", size=7), "brand": Statistics("string", size=4)})
    student = replace(SCHEMA, labels=(*FUNNEL, Label("like")))
    faults = list(teacher_faults(other, student))
    assert [(fault.what, fault.where) for fault in faults] == [
        ("the teacher cannot read 'item': another vocabulary", "data.features, column 'item'"),
        ("the teacher cannot read 'brand': there is no such feature", "data.features, column 'brand'"),
        ("to the teacher 'buy' is another label: binary, given none", "data.labels, column 'buy'"),
        ("to the teacher 'spend' is another label: regression, given click", "data.labels, column 'spend'"),
        ("the teacher does not predict 'like'", "data.labels, column 'like'"),
    ]
    assert {fault.remedy for fault in faults} == {"train both on the same data config"}
