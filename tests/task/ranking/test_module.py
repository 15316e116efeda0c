import math
import os
import sys
from functools import partial

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from torch import nn
from torch.utils.data import DataLoader

from recsys.balance.fixed import Fixed
from recsys.balance.gradnorm import GradNorm
from recsys.balance.pcgrad import PCGrad
from recsys.batch import Batch, ImpressionBatch
from recsys.calibration.plain import Plain
from recsys.loss.clicked import Clicked
from recsys.loss.escm2_dr import ESCM2DR
from recsys.loss.esmm import ESMM
from recsys.model.shared_bottom import SharedBottom
from recsys.model.single_task import SingleTask
from recsys.nn.ranking_input import RankingInput
from recsys.optimizer.schedule import constant
from recsys.schema import Categorical, Label, Schema, Statistics
from recsys.task.ranking.module import RankingModule
from recsys.task.ranking.teacher import Teacher

NAN = math.nan
FUNNEL = (Label("click"), Label("buy", given="click"))
SPEND = (Label("click"), Label("spend", kind="regression"))
STATISTICS = {
    "item": Statistics("int64", size=6),
    "position": Statistics("int64", size=5),
    "spend": Statistics("float32", mean=10.0, std=5.0),
}
INPUT = partial(RankingInput, 4, 0.0, sparse_from=99, fm=False, cross=None, attention=None)
SINGLE_TASK, SHARED_BOTTOM = partial(SingleTask, [8], 0.0), partial(SharedBottom, [8], [4], dropout=0.0)
CLICKED, ENTIRE_SPACE = partial(Clicked, 0.0, {}), partial(ESMM, 0.0, {})
SUM, PROJECTED = partial(Fixed, {}), partial(PCGrad, 0)


def task(labels, *, loss=CLICKED, model=SINGLE_TASK, balance=SUM, lr=0.1, bias=(), **given):
    torch.manual_seed(0)
    features = (Categorical("item", "item"), *(Categorical(column, "bias") for column in bias))
    schema = Schema("user", "item", features=features, labels=labels).fitted(STATISTICS)
    loss = loss(labels=labels)
    columns = tuple(label.column for label in labels)
    return RankingModule(
        model(input=INPUT, bias_dropout=0.0, schema=schema, heads=(*columns, *loss.extra_heads)),
        loss,
        balance=balance(labels=columns),
        calibration=Plain,
        optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=lr),
        scheduler=partial(constant, 0),
        schema=schema,
        **given,
    )


def teacher(labels, weight=0.5):
    """Answers 3/4 for every binary label, the mean for a number."""
    module = zeroed(task(labels))
    calibrations = module.calibrations
    for calibration in calibrations.values():
        calibration.forward = lambda logit: torch.full_like(logit, 0.75)
    return Teacher(module.model, calibrations, labels=labels, weight=weight)


def batch(item, weight=None, **labels):
    weight = torch.tensor(weight or [1.0] * len(item))
    index = torch.tensor(item)
    return Batch({"item": index}, {column: torch.tensor(values) for column, values in labels.items()}, weight, index, index)


class Losses(Callback):
    """The loss of every step."""

    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.values.append(outputs["loss"].item())


def trained(module, batches, epochs=1, **settings):
    """The trainer, and the losses of its steps."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    losses = Losses()
    trainer = Trainer(accelerator="cpu", max_epochs=epochs, callbacks=[losses], **quiet, **settings)
    trainer.fit(module, DataLoader(batches, batch_size=None))
    return trainer, losses.values


def zeroed(module):
    """A model that answers 0, or the mean of a regression, whatever it is asked."""
    for parameter in module.model.parameters():
        nn.init.zeros_(parameter)
    return module


PARTS = (
    batch([2, 5], click=[1.0, 0.0], buy=[1.0, 0.0], weight=[1.0, 0.0]),
    batch([3, 4, 2], click=[0.0, 1.0, 1.0], buy=[0.0, 0.0, 1.0], weight=[1.0, 0.5, 1.0]),
)
"""A step's rows in two processes; the first holds a row that only fills up."""


def joined(first, second):
    return Batch(
        *(
            {column: torch.cat([values, getattr(second, group)[column]]) for column, values in getattr(first, group).items()}
            for group in ("features", "labels")
        ),
        *(torch.cat([getattr(first, name), getattr(second, name)]) for name in ("weight", "user", "item")),
    )


def fitted_on(batch, **settings):
    """A module after SGD with gradients that conflict; SGD, since Adam would hide a factor."""
    module = task(FUNNEL, loss=ENTIRE_SPACE, model=SHARED_BOTTOM, balance=PROJECTED)
    trained(module, [batch], epochs=30, **settings)
    return module


def test_predictions_are_those_of_a_served_graph_and_at_test_also_with_bias_columns():
    module = task(SPEND, bias=("position",))
    table = module.model.bias.tables[0].weight.data
    table[2, 0], table[3, 0] = 5.0, 7.0  # of a click at the first and the second position
    shown = ImpressionBatch({"item": torch.tensor([2, 2]), "position": torch.tensor([2, 3])}, torch.arange(2))
    served = module.validation_step(shown, 0)
    assert torch.equal(served[0], served[1])  # the same item, whatever its position
    both = module.test_step(shown, 0)
    assert torch.equal(both[:, :2], served)
    assert (both[:, 2] - served[:, 0]).tolist() == pytest.approx([5.0, 7.0])
    assert torch.equal(both[:, 3], served[:, 1] + module.model.scale[1] * table[[2, 3], 1])
    assert torch.equal(task(SPEND).test_step(shown, 0), task(SPEND).validation_step(shown, 0))  # nothing more where there is no bias


def test_training_learns_which_items_are_clicked_and_then_bought():
    module = task(FUNNEL, loss=ENTIRE_SPACE, lr=1.0)
    # item 2: clicked and bought, 3: clicked, 4: neither
    _, losses = trained(module, [batch([2, 3, 4], click=[1.0, 1.0, 0.0], buy=[1.0, 0.0, 0.0])] * 4, epochs=50)
    assert losses[-1] < 0.1 * losses[0]
    answers = module.validation_step(ImpressionBatch({"item": torch.tensor([2, 3, 4])}, torch.arange(3)), 0)
    click, buy = answers.sigmoid().unbind(1)
    assert click[:2].min() > 0.9
    assert click[2] < 0.1
    assert buy[0] > 0.9
    assert buy[1] < 0.1


def test_a_missing_label_leaves_the_other_heads_as_they_were_bit_for_bit():
    modules = {}
    for name, spend in {"there": [30.0, 12.0], "missing": [30.0, NAN]}.items():
        modules[name] = task(SPEND)
        trained(modules[name], [batch([2, 3], click=[1.0, 0.0], spend=spend)])
    there, missing = (dict(modules[name].model.named_parameters()) for name in ("there", "missing"))
    for name, start in task(SPEND).model.named_parameters():
        of_click = name.startswith(("inputs.0", "networks.0"))
        assert torch.equal(there[name], missing[name]) == of_click, name
        assert not torch.equal(there[name], start), name


def test_a_missing_label_is_no_row_of_its_own_head():
    missing, alone = task(SPEND), task(SPEND)
    trained(missing, [batch([2, 3], click=[1.0, 0.0], spend=[30.0, NAN])])
    trained(alone, [batch([2], click=[1.0], spend=[30.0])])
    for name, weights in alone.model.state_dict().items():
        if name.startswith(("inputs.1", "networks.1")):
            torch.testing.assert_close(weights, missing.model.state_dict()[name])


def test_losses_are_logged_and_a_number_counts_in_units_of_its_deviation():
    trainer, _ = trained(zeroed(task(SPEND, lr=0.0)), [batch([2, 3], click=[1.0, 0.0], spend=[20.0, NAN])])
    logged = {key: value.item() for key, value in trainer.callback_metrics.items()}
    # click: log 2, from a logit of 0; spend: (20 - 10)^2 = 100 in units of 5^2
    assert logged == pytest.approx(
        {
            "train/loss": math.log(2) + 4,
            "train/click/loss": math.log(2),
            "train/spend/loss": 4.0,
            "train/loss_share/click": math.log(2) / (math.log(2) + 4),
            "train/loss_share/spend": 4 / (math.log(2) + 4),
        },
        rel=1e-6,
    )


def test_the_balance_gets_the_losses_and_what_labels_share():
    module = task(SPEND, model=SHARED_BOTTOM, balance=PROJECTED)
    trainer, _ = trained(module, [batch([2, 3], click=[1.0, 0.0], spend=[20.0, 5.0])])
    # the items' embeddings are shared, so both gradients are there to compare
    assert 0 < abs(trainer.callback_metrics["train/gradient_cosine/click_spend"].item()) <= 1


@pytest.mark.parametrize(("share", "expected"), [(0.1, 10 / 100), (1.0, 10 / 19)])
def test_a_constant_model_learns_the_rate_of_all_rows_from_a_sample_of_the_negatives(share, expected):
    module = task(FUNNEL, loss=ENTIRE_SPACE, lr=2.0, kept_share=share)
    # of 10 clicks among 100 rows, 4 of them bought, the clicks were read and 9 of the other 90
    rows = batch([2] * 19, click=[1.0] * 10 + [0.0] * 9, buy=[1.0] * 4 + [0.0] * 15)
    trained(module, [rows] * 20, epochs=20)
    answers = module.validation_step(ImpressionBatch({"item": torch.tensor([2])}, torch.arange(1)), 0)
    assert answers[0, 0].sigmoid().item() == pytest.approx(expected, rel=1e-3)
    assert answers[0, 1].sigmoid().item() == pytest.approx(0.4, rel=1e-3)


def test_a_teacher_adds_to_each_loss_and_is_logged():
    module = zeroed(task(SPEND, lr=0.0, teacher=teacher(SPEND)))
    nn.init.constant_(module.model.networks[1].layers[-1].bias, 1.0)
    trainer, _ = trained(module, [batch([2, 3], click=[1.0, 0.0], spend=[20.0, NAN])])
    logged = {key: value.item() for key, value in trainer.callback_metrics.items() if "share" not in key}
    # click: log 2 from a logit of 0, whatever the target. spend: 15 is one deviation from 20, and from the teacher's 10
    assert logged == pytest.approx(
        {
            "train/loss": 1.5 * math.log(2) + 1.5,
            "train/click/loss": 1.5 * math.log(2),
            "train/click/distillation": math.log(2),
            "train/spend/loss": 1.5,
            "train/spend/distillation": 1.0,
        },
        rel=1e-6,
    )


def test_a_student_ends_between_its_labels_and_its_teacher():
    module = task(SPEND[:1], lr=2.0, teacher=teacher(SPEND[:1], weight=3.0))
    trained(module, [batch([2, 2, 2, 2], click=[1.0, 0.0, 0.0, 0.0])] * 10, epochs=20)
    answers = module.validation_step(ImpressionBatch({"item": torch.tensor([2])}, torch.arange(1)), 0)
    assert answers[0, 0].sigmoid().item() == pytest.approx((0.25 + 3 * 0.75) / 4, rel=1e-3)


def test_a_teacher_speaks_of_all_rows_where_a_sample_is_read():
    module = task(SPEND[:1], lr=2.0, teacher=teacher(SPEND[:1]), kept_share=0.1)
    # three in four rows are clicks, as the teacher says: of 27 clicks and 9 others the clicks were read and a tenth of the others
    rows = batch([2] * 2, click=[1.0, 0.0], weight=[27.0, 0.9])
    trained(module, [rows] * 10, epochs=20)
    answers = module.validation_step(ImpressionBatch({"item": torch.tensor([2])}, torch.arange(1)), 0)
    assert answers[0, 0].sigmoid().item() == pytest.approx(0.75, rel=1e-3)


@pytest.mark.parametrize("balance", [PROJECTED, partial(GradNorm, 1.5, 0.025)])
def test_a_teacher_is_no_part_of_its_student(balance):
    alone, taught = (task(FUNNEL, model=SHARED_BOTTOM, balance=balance, **given) for given in ({}, {"teacher": teacher(FUNNEL)}))
    moved = []
    taught.teacher.to = moved.append
    before = {name: weights.clone() for name, weights in taught.teacher.model.state_dict().items()}
    assert taught.state_dict().keys() == alone.state_dict().keys()
    trainer, _ = trained(taught, [batch([2, 3], click=[1.0, 0.0], buy=[1.0, 0.0])])
    assert taught.state_dict().keys() == alone.state_dict().keys()
    (optimizer,) = trainer.optimizers
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(alone.parameters()))
    assert moved == [taught.device]
    assert not taught.teacher.model.training
    for name, weights in taught.teacher.model.state_dict().items():
        assert torch.equal(weights, before[name]), name


def test_evaluation_answers_labels_and_no_auxiliary_head():
    module = task(FUNNEL, loss=partial(ESCM2DR, 0.0, {}, ctcvr_weight=0.0, min_propensity=0.01))
    assert module.model.heads == ("click", "buy", "buy/imputation")
    answers = module.test_step(ImpressionBatch({"item": torch.tensor([2, 3])}, torch.arange(2)), 0)
    assert ([label.column for label in module.labels], answers.shape) == (["click", "buy"], (2, 2))


def test_only_binary_labels_are_calibrated():
    assert [*task(SPEND).calibrations] == ["click"]


def test_processes_with_differing_weights_train_like_one(forked_ranks, tmp_path):
    """In the first process a fill-up row, in the second a row that weighs little; the balance projects gradients of all rows."""
    module = fitted_on(joined(*PARTS))
    forked_ranks(__file__, [tmp_path / f"{rank}.pt" for rank in (0, 1)])
    for rank in (0, 1):
        for name, weights in torch.load(tmp_path / f"{rank}.pt").items():
            torch.testing.assert_close(weights, module.model.state_dict()[name], atol=1e-5, rtol=1e-4)


if __name__ == "__main__":  # one of two processes
    rank = int(os.environ["RANK"])
    module = fitted_on(PARTS[rank], strategy="ddp", devices=2)
    torch.save(module.model.state_dict(), sys.argv[1])
