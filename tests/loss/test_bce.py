"""BCE by hand. softplus(x) = log(1 + e^x)."""

import pytest
import torch

from recsys.loss.bce import BCE

USERS = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
ITEMS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # scores: 1 0 1 and 0 2 2
POSITIVE_AT = torch.tensor([0, 1])
LOG_Q = torch.tensor([1.0, 1.0, 0.5]).log()  # weights 1, 1, 2


@pytest.mark.parametrize(
    ("negative_weight", "expected"),
    # query 0: softplus(-1) = 0.313262; negatives softplus(0) = 0.693147 (weight 1), softplus(1) = 1.313262 (weight 2): mean 1.106557
    # query 1: softplus(-2) = 0.126928; negatives softplus(0) = 0.693147 (weight 1), softplus(2) = 2.126928 (weight 2): mean 1.649001
    [
        (1.0, (0.313262 + 1.106557 + 0.126928 + 1.649001) / 2),
        (3.0, (0.313262 + 3 * 1.106557 + 0.126928 + 3 * 1.649001) / 2),
    ],
)
def test_negatives_together_have_their_weight(negative_weight, expected):
    loss = BCE(negative_weight, True)(USERS, ITEMS, POSITIVE_AT, log_q=LOG_Q, known=None, weight=torch.ones(2))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_negatives_without_correction_count_the_same():
    # query 0: 0.313262 + (0.693147 + 1.313262) / 2
    loss = BCE(1.0, False)(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=LOG_Q, known=None, weight=torch.ones(1))
    assert loss.item() == pytest.approx(1.316466, abs=1e-6)
