"""GradNorm by hand: losses a * p + c of one shared number p have the gradient a, whatever c."""

import math

import pytest
import torch
from torch import nn

from recsys.balance.gradnorm import GradNorm
from recsys.errors import ConfigError

LABELS = ("click", "spend")


def call(balance, *lines, p=2.0):
    """The value, and the gradient that reaches p, of losses a * p + c given as (a, c)."""
    shared = nn.Parameter(torch.tensor([p]))
    value = balance({label: (a * shared + c).sum() for label, (a, c) in zip(LABELS, lines)}, [shared])
    value.backward()
    return value.item(), shared.grad.item()


def test_weights_move_after_the_sum_is_taken():
    balance = GradNorm(0.0, 0.1, labels=LABELS)
    assert call(balance, (3.0, 0.0), (1.0, 0.0)) == (8, 4)  # 3 * 2 + 1 * 2 and 3 + 1, weights 1
    # norms 3 and 1, mean 2: log w moves by -0.1 * 3 / 2 and +0.1 * 1 / 2; e^-0.15, e^0.05 scaled to the sum 2
    low = 2 / (1 + math.exp(0.2))
    assert balance.weight.tolist() == pytest.approx([low, 2 - low])
    assert call(balance, (3.0, 0.0), (1.0, 0.0)) == pytest.approx((6 * low + 2 * (2 - low), 3 * low + 2 - low))


def test_label_that_learnt_less_gets_the_larger_gradient():
    balance = GradNorm(1.0, 0.1, labels=LABELS)
    call(balance, (1.0, 0.0), (1.0, 0.0))
    assert balance.weight.tolist() == [1, 1]  # equal norms and rates: at rest
    call(balance, (1.0, -1.0), (1.0, 0.0))
    # losses fell from 2 and 2 to 1 and 2: rates 0.5 and 1, relative 2/3 and 4/3; norms 1 and 1, so w_1 falls by e^-0.1 and w_2 rises
    low = 2 / (1 + math.exp(0.2))
    assert balance.weight.tolist() == pytest.approx([low, 2 - low])


def test_alpha_scales_the_pull_of_training_rates():
    # relative rates 2/3 and 4/3 as above, norms 1 and 3, mean 2: targets 4/3 and 8/3 with alpha 1, but 2/3 * 4/3 and 2 * 16/9 with alpha 2
    weights = {}
    for alpha in (1.0, 2.0):
        balance = GradNorm(alpha, 0.1, labels=LABELS)
        balance.first = torch.tensor([4.0, 6.0])
        call(balance, (1.0, 0.0), (3.0, 0.0))
        weights[alpha] = balance.weight[1].item()
    assert weights[1.0] < 1 < weights[2.0]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_norms_become_equal_whatever_the_scale_of_losses(scale):
    balance = GradNorm(0.0, 0.02, labels=LABELS)
    for _ in range(600):
        call(balance, (100 * scale, 0.0), (scale, 0.0))
    click, spend = (balance.weight * torch.tensor([100.0, 1.0])).tolist()
    assert click / spend == pytest.approx(1, abs=0.1)
    assert balance.weight.sum().item() == pytest.approx(2)


def test_label_without_rows_moves_nothing_and_is_remembered_later():
    balance = GradNorm(0.0, 0.1, labels=LABELS)
    call(balance, (3.0, 0.0), (0.0, 0.0))
    assert balance.weight.tolist() == [1, 1]  # the mean of all norms that there are is 3
    assert balance.first.tolist() == [6, 0]
    call(balance, (3.0, 0.0), (2.0, 1.0))
    assert balance.first.tolist() == [6, 5]


def test_evaluation_takes_the_weighted_sum_alone():
    balance = GradNorm(0.0, 0.1, labels=LABELS).eval()
    balance.weight = torch.tensor([0.5, 1.5])
    with torch.no_grad():
        value = balance({"click": torch.tensor(4.0), "spend": torch.tensor(2.0)}, [nn.Parameter(torch.ones(1))])
    assert value.item() == 5  # 0.5 * 4 + 1.5 * 2
    assert balance.weight.tolist() == [0.5, 1.5]
    assert set(balance.telemetry) == {"loss_share/click", "loss_share/spend"}


def test_telemetry_has_shares_and_cosines():
    balance = GradNorm(0.0, 0.1, labels=LABELS)
    call(balance, (3.0, 0.0), (-1.0, 4.0))  # losses 6 and 2, gradients 3 and -1
    assert {name: value.item() for name, value in balance.telemetry.items()} == pytest.approx(
        {"loss_share/click": 0.75, "loss_share/spend": 0.25, "gradient_cosine/click_spend": -1}
    )


def test_training_rates_are_those_of_all_processes(monkeypatch):
    def add_other_process(values):
        values += torch.tensor([2.0, 4.0]) if values.dim() == 1 else values

    monkeypatch.setattr("recsys.balance.gradients.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("recsys.balance.gradients.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("recsys.balance.gradients.distributed.all_reduce", add_other_process)
    balance = GradNorm(1.0, 0.1, labels=LABELS)
    assert call(balance, (3.0, 0.0), (1.0, 0.0)) == (8, 4)  # this process's own losses, 6 and 2
    assert balance.first.tolist() == [4, 3]  # (6 + 2) / 2 and (2 + 4) / 2


def test_resumes_from_its_state():
    balance, resumed = GradNorm(1.0, 0.1, labels=LABELS), GradNorm(1.0, 0.1, labels=LABELS)
    call(balance, (3.0, 0.0), (1.0, 0.0))
    resumed.load_state_dict(balance.state_dict())
    for each in (balance, resumed):
        call(each, (2.0, 1.0), (1.0, 3.0))
    assert resumed.weight.tolist() == balance.weight.tolist() != [1, 1]


@pytest.mark.parametrize(("alpha", "lr", "wrong"), [(-1.0, 0.1, "alpha is -1.0"), (1.0, 0.0, "lr is 0.0")])
def test_numbers_out_of_range_are_refused(alpha, lr, wrong):
    with pytest.raises(ConfigError, match=wrong):
        GradNorm(alpha, lr, labels=LABELS)
