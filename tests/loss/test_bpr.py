"""BPR by hand. softplus(x) = log(1 + e^x)."""

import pytest
import torch

from recsys.loss.bpr import BPR

USERS = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
ITEMS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # scores: 1 0 1 and 0 2 2
POSITIVE_AT = torch.tensor([0, 1])
LOG_Q = torch.tensor([1.0, 1.0, 0.5]).log()  # weights 1, 1, 2


def test_mean_over_negatives_weighs_by_1_over_q():
    # query 0: softplus(0 - 1) = 0.313262 (weight 1), softplus(1 - 1) = 0.693147 (weight 2): mean 0.566519
    # query 1: softplus(0 - 2) = 0.126928 (weight 1), softplus(2 - 2) = 0.693147 (weight 2): mean 0.504407
    loss = BPR(True)(USERS, ITEMS, POSITIVE_AT, log_q=LOG_Q, known=None, weight=torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx((0.566519 + 3 * 0.504407) / 4, abs=1e-6)


def test_mean_over_negatives_without_correction():
    # query 0: (0.313262 + 0.693147) / 2
    loss = BPR(False)(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=LOG_Q, known=None, weight=torch.ones(1))
    assert loss.item() == pytest.approx(0.503204, abs=1e-6)


def test_known_item_leaves_the_mean():
    # query 0 without item 2: 0.313262
    known = torch.tensor([[0], [2]])
    loss = BPR(True)(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=LOG_Q, known=known, weight=torch.ones(1))
    assert loss.item() == pytest.approx(0.313262, abs=1e-6)
