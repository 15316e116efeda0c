"""gBCE by hand. softplus(x) = log(1 + e^x)."""

import pytest
import torch

from recsys.errors import ConfigError
from recsys.loss.gbce import GBCE

USERS = torch.tensor([[1.0, 0.0]])
ITEMS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # scores 1 0 1
POSITIVE_AT = torch.tensor([0])
ONE = torch.ones(1)


@pytest.mark.parametrize(
    ("t", "expected"),
    # 2 negatives of 8 in the catalogue: alpha = 1/4, beta = alpha (t (1 - 1 / alpha) + 1 / alpha) = 1/4 (-3 t + 4)
    # positive softplus(-1) = 0.313262, negatives softplus(0) + softplus(1) = 0.693147 + 1.313262 = 2.006409
    [
        (0.0, (1.0 * 0.313262 + 2.006409) / 3),
        (0.5, (0.625 * 0.313262 + 2.006409) / 3),
        (1.0, (0.25 * 0.313262 + 2.006409) / 3),
    ],
)
def test_positive_has_the_exponent_beta(t, expected):
    loss = GBCE(t)(USERS, ITEMS, POSITIVE_AT, log_q=torch.tensor([1.0, 0.25, 0.25]).log(), known=None, weight=ONE)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_whole_catalogue_makes_it_plain_bce():
    # alpha = 1, beta = 1
    loss = GBCE(1.0)(USERS, ITEMS, POSITIVE_AT, log_q=torch.zeros(3), known=None, weight=ONE)
    assert loss.item() == pytest.approx((0.313262 + 2.006409) / 3, abs=1e-6)


def test_known_item_counts_neither_as_negative_nor_as_catalogue():
    # 1 negative of 4: alpha = 1/4, beta = 1/4 at t = 1
    loss = GBCE(1.0)(USERS, ITEMS, POSITIVE_AT, log_q=torch.tensor([1.0, 0.25, 0.25]).log(), known=torch.tensor([[0], [2]]), weight=ONE)
    assert loss.item() == pytest.approx((0.25 * 0.313262 + 0.693147) / 2, abs=1e-6)


def test_calibration_out_of_range_is_refused():
    with pytest.raises(ConfigError, match=r"t is 1\.5"):
        GBCE(1.5)
