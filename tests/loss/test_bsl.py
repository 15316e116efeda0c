"""BSL by hand."""

import math

import pytest
import torch

from recsys.errors import ConfigError
from recsys.loss.bsl import BSL

USERS = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
ITEMS = torch.tensor([[0.8, 0.6], [0.6, -0.8], [-0.6, 0.8]])  # scores: 0.8 0.6 -0.6 and 0.6 -0.8 0.8
POSITIVE_AT = torch.tensor([0, 2])


def test_exponent_is_the_weight_of_the_negatives():
    # temperature 0.2. query 0: -4 + 1.5 log(e^3 + e^-3), query 1: -4 + 1.5 log(e^3 + e^-4)
    by_hand = [-4 + 1.5 * math.log(math.exp(3) + math.exp(-3)), -4 + 1.5 * math.log(math.exp(3) + math.exp(-4))]
    loss = BSL(0.2, 1.5)(USERS, ITEMS, POSITIVE_AT, log_q=torch.zeros(3), known=None, weight=torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx((by_hand[0] + 3 * by_hand[1]) / 4, abs=1e-5)


def test_sampled_negatives_stand_for_the_catalogue():
    # query 0: each negative stands for 4 items: -0.8 + log(4 e^0.6 + 4 e^-0.6); the positive's own q does not matter
    loss = BSL(1.0, 1.0)(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=torch.tensor([0.1, 0.25, 0.25]).log(), known=None, weight=torch.ones(1))
    assert loss.item() == pytest.approx(-0.8 + math.log(4 * math.exp(0.6) + 4 * math.exp(-0.6)), abs=1e-6)


def test_without_negatives_only_the_positive_counts():
    loss = BSL(0.2, 1.5)(USERS[:1], ITEMS[:1], POSITIVE_AT[:1], log_q=torch.zeros(1), known=None, weight=torch.ones(1))
    assert loss.item() == pytest.approx(-4.0)


def test_impossible_arguments_are_refused_together():
    with pytest.raises(ConfigError) as error:
        BSL(0.0, -1.0)
    assert [fault.where for fault in error.value.faults] == ["temperature", "exponent"]
