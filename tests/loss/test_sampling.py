"""Two kinds of rows, told apart by what the model knows; every figure is an expectation over them, so that equality is exact.

      rows  P(click)  P(buy | click)          of the rows read, with a share of 1/4 of those without a click:
a      0.5     0.2          0.5                  0.5 (0.2 + 0.8 / 4) = 0.2,  P(click) 1/2
b      0.5     0.1          0.3                  0.5 (0.1 + 0.9 / 4) = 0.1625,  P(click) 0.1 / 0.325 = 4/13
"""

import math

import pytest
import torch
import torch.nn.functional as F

from recsys.loss.clicked import Clicked
from recsys.loss.dcmt import DCMT
from recsys.loss.escm2_dr import ESCM2DR
from recsys.loss.escm2_ipw import ESCM2IPW
from recsys.loss.esmm import ESMM
from recsys.loss.sampling import of_sample
from recsys.schema import Label

FUNNEL = (Label("click"), Label("buy", given="click"))
SHARE = 0.25
P_CLICK, P_BUY = [0.2, 0.1], [0.5, 0.3]
ESCM2 = {"ctcvr_weight": 1.0, "min_propensity": 0.01}
LOSSES = {
    "clicked": Clicked(0.0, {}, labels=FUNNEL),
    "esmm": ESMM(0.0, {}, labels=FUNNEL),
    "escm2_ipw": ESCM2IPW(0.0, {}, **ESCM2, labels=FUNNEL),
    "escm2_dr": ESCM2DR(0.0, {}, **ESCM2, labels=FUNNEL),
    "dcmt": DCMT(0.0, {}, regulariser=0.0, **ESCM2, labels=FUNNEL),
}
# of each kind a row without a click, one with a click alone, one with both; a weight stands for how often it is read
CLICK, BUY = torch.tensor([0.0, 1.0, 1.0] * 2), torch.tensor([0.0, 0.0, 1.0] * 2)
WEIGHT = torch.tensor([part for c, b in zip(P_CLICK, P_BUY) for part in (0.5 * (1 - c) * SHARE, 0.5 * c * (1 - b), 0.5 * c * b)])


def gradients(loss, *, share):
    """By the logits of click and of buy, each of a and b, at the probabilities of all rows: zero if these are best on the rows read."""
    truth = {"click": torch.tensor(P_CLICK).logit(), "buy": torch.tensor(P_BUY).logit()}
    truth = {column: values.requires_grad_() for column, values in truth.items()}
    rows = {column: values.repeat_interleave(3) for column, values in truth.items()}
    extra = {head: torch.zeros(6) for head in loss.extra_heads}
    losses = loss(of_sample(rows, "click", share=share) | extra, {"click": CLICK, "buy": BUY}, WEIGHT)
    found = []
    for value in losses.values():
        grads = torch.autograd.grad(value, list(truth.values()), retain_graph=True, allow_unused=True)
        found += [part for grad in grads if grad is not None for part in grad.tolist()]
    return found


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_every_loss_is_least_at_the_probabilities_of_all_rows(loss):
    assert max(map(abs, gradients(loss, share=SHARE))) < 1e-6
    assert max(map(abs, gradients(loss, share=1.0))) > 0.05


def test_a_share_of_one_changes_nothing():
    logits = {"click": torch.zeros(2), "buy": torch.ones(2)}
    assert of_sample(logits, "click", share=1.0) is logits


def test_propensities_estimate_a_mean_over_the_rows_that_are_read():
    loss = ESCM2IPW(0.0, {}, ctcvr_weight=0.0, min_propensity=0.01, labels=FUNNEL)
    logits = {"click": torch.tensor(P_CLICK).logit().repeat_interleave(3), "buy": torch.zeros(6) + torch.tensor([2.0] * 3 + [-1.0] * 3)}
    value = loss(of_sample(logits, "click", share=SHARE), {"click": CLICK, "buy": BUY}, WEIGHT)["buy"]
    # mean error of buy, had all been clicked, of kind a and of kind b
    a = 0.5 * math.log1p(math.exp(-2)) + 0.5 * math.log1p(math.exp(2))
    b = 0.3 * math.log1p(math.exp(1)) + 0.7 * math.log1p(math.exp(-1))
    assert value.item() == pytest.approx((0.2 * a + 0.1625 * b) / 0.3625, rel=1e-5)


def fitted(inputs, label, *, share):
    """Slope and intercept of a logistic model, trained on these rows."""
    coefficients = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=100, line_search_fn="strong_wolfe")
    loss = Clicked(0.0, {}, labels=FUNNEL[:1])

    def closure():
        optimizer.zero_grad()
        logits = of_sample({"click": coefficients[0] * inputs + coefficients[1]}, "click", share=share)
        value = loss(logits, {"click": label}, torch.ones_like(label))["click"]
        value.backward()
        return value

    optimizer.step(closure)
    return coefficients.tolist()


def test_a_model_trained_on_a_sample_gives_the_probabilities_of_all_rows():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(100_000, generator=generator, dtype=torch.float64)
    label = (torch.rand(100_000, generator=generator) < (1.5 * inputs - 3.0).sigmoid()).double()
    read = (label == 1) | (torch.rand(100_000, generator=generator) < 0.1)
    whole, sample = fitted(inputs, label, share=1.0), fitted(inputs[read], label[read], share=0.1)
    uncorrected = fitted(inputs[read], label[read], share=1.0)
    assert whole == pytest.approx([1.5, -3.0], abs=0.05)
    assert sample == pytest.approx([1.5, -3.0], abs=0.1)
    mean = {name: F.sigmoid(a * inputs + b).mean().item() for name, (a, b) in {"sample": sample, "uncorrected": uncorrected}.items()}
    assert mean["sample"] == pytest.approx(label.mean().item(), rel=0.03)
    assert mean["uncorrected"] > 3 * label.mean().item()  # its intercept is log 10 higher
