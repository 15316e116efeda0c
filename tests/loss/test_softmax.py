"""Softmax with logQ correction by hand."""

import math

import pytest
import torch

from recsys.loss.softmax import SampledSoftmax

USERS = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
ITEMS = torch.tensor([[0.8, 0.6], [0.6, -0.8], [-0.6, 0.8]])  # scores: 0.8 0.6 -0.6 and 0.6 -0.8 0.8
POSITIVE_AT = torch.tensor([0, 2])
LOG_Q = torch.tensor([0.5, 0.25, 0.1]).log()


def softmax(temperature: float = 1.0, learnable: bool = False, positive_is_sampled: bool = False) -> SampledSoftmax:
    return SampledSoftmax(temperature, learnable, min_temperature=0.05, max_temperature=2.0, positive_is_sampled=positive_is_sampled)


def value(loss: SampledSoftmax, users: torch.Tensor = USERS, items: torch.Tensor = ITEMS) -> torch.Tensor:
    return loss(users, items, POSITIVE_AT, log_q=LOG_Q, known=None, weight=torch.tensor([1.0, 3.0]))


def test_positive_is_not_corrected():
    # query 0: e^0.8 / (e^0.8 + 4 e^0.6 + 10 e^-0.6); query 1: e^0.8 / (2 e^0.6 + 4 e^-0.8 + e^0.8)
    e = math.exp
    by_hand = [math.log(1 + (4 * e(0.6) + 10 * e(-0.6)) / e(0.8)), math.log(1 + (2 * e(0.6) + 4 * e(-0.8)) / e(0.8))]
    assert value(softmax()).item() == pytest.approx((by_hand[0] + 3 * by_hand[1]) / 4, abs=1e-6)


def test_sampled_positive_is_corrected_too():
    # query 0: 2 e^0.8 / (2 e^0.8 + 4 e^0.6 + 10 e^-0.6); query 1: 10 e^0.8 / (2 e^0.6 + 4 e^-0.8 + 10 e^0.8)
    e = math.exp
    by_hand = [math.log(1 + (4 * e(0.6) + 10 * e(-0.6)) / (2 * e(0.8))), math.log(1 + (2 * e(0.6) + 4 * e(-0.8)) / (10 * e(0.8)))]
    assert value(softmax(positive_is_sampled=True)).item() == pytest.approx((by_hand[0] + 3 * by_hand[1]) / 4, abs=1e-6)


def test_temperature_divides_scores_and_not_log_q():
    # temperature 0.5, query 0 alone: e^1.6 / (e^1.6 + 4 e^1.2 + 10 e^-1.2)
    loss = softmax(0.5)(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=LOG_Q, known=None, weight=torch.ones(1))
    by_hand = math.log(1 + (4 * math.exp(1.2) + 10 * math.exp(-1.2)) / math.exp(1.6))
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)


def test_gradient_is_that_of_the_published_refined_loss():
    # Khrylchenko et al. 2025: -sg(1 - P) log(exp(s_p) / S), written out with autograd
    users, items = USERS.clone().requires_grad_(), ITEMS.clone().requires_grad_()
    scores = users @ items.T
    positive = scores.gather(1, POSITIVE_AT[:, None]).squeeze(1)
    negatives = (scores - LOG_Q).scatter(1, POSITIVE_AT[:, None], -torch.inf).exp().sum(1)
    missed = (negatives / (positive.exp() + negatives)).detach()
    published = (missed * (negatives.log() - positive) * torch.tensor([0.25, 0.75])).sum()
    expected = torch.autograd.grad(published, (users, items))
    for got, want in zip(torch.autograd.grad(value(softmax(), users, items), (users, items)), expected):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


def test_learnable_temperature_gets_the_derivative():
    loss = softmax(0.5, learnable=True)
    value(loss).backward()
    step = 1e-3
    with torch.no_grad():
        loss.temperature.raw += step
        above = value(loss).item()
        loss.temperature.raw -= 2 * step
        below = value(loss).item()
    assert loss.temperature.raw.grad.item() == pytest.approx((above - below) / (2 * step), rel=1e-2)


def test_fixed_temperature_leaves_nothing_to_train():
    assert list(softmax().parameters()) == []
    assert len(list(softmax(learnable=True).parameters())) == 1
