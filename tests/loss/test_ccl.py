"""CCL by hand, on unit vectors."""

import pytest
import torch

from recsys.loss.ccl import CCL

USERS = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
ITEMS = torch.tensor([[0.8, 0.6], [0.6, -0.8], [-0.6, 0.8]])  # scores: 0.8 0.6 -0.6 and 0.6 -0.8 0.8
POSITIVE_AT = torch.tensor([0, 2])
LOG_Q = torch.tensor([1.0, 0.5, 0.25]).log()  # weights 1, 2, 4


def test_only_negatives_above_the_margin_cost():
    # query 0: 1 - 0.8; negatives 0.6 - 0.5 = 0.1 (weight 2), -0.6 is below (weight 4): mean 0.2 / 6; 10 times that
    # query 1: 1 - 0.8; negatives 0.6 - 0.5 = 0.1 (weight 1), -0.8 is below (weight 2): mean 0.1 / 3
    loss = CCL(0.5, 10.0, correct_log_q=True)(USERS, ITEMS, POSITIVE_AT, log_q=LOG_Q, known=None, weight=torch.tensor([1.0, 1.0]))
    assert loss.item() == pytest.approx(0.2 + 10 * 0.1 / 3, abs=1e-6)


def test_negatives_without_correction_count_the_same():
    # query 0: 0.2 + 10 * (0.1 + 0) / 2
    loss = CCL(0.5, 10.0, correct_log_q=False)(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=LOG_Q, known=None, weight=torch.ones(1))
    assert loss.item() == pytest.approx(0.7, abs=1e-6)
