"""A weighted sum."""

import pytest
import torch

from recsys.balance.fixed import Fixed
from recsys.errors import ConfigError

LABELS = ("click", "conversion")


def test_labels_without_a_weight_weigh_1():
    balance = Fixed({"click": 0.5}, labels=LABELS)
    losses = {"conversion": torch.tensor(3.0), "click": torch.tensor(2.0)}
    assert balance(losses, []).item() == 4  # 0.5 * 2 + 3
    assert {name: value.item() for name, value in balance.telemetry.items()} == {"loss_share/click": 0.25, "loss_share/conversion": 0.75}


def test_gradients_have_their_weights_and_telemetry_has_none():
    losses = {"click": torch.tensor(2.0, requires_grad=True), "conversion": torch.tensor(3.0, requires_grad=True)}
    balance = Fixed({"click": 0.5, "conversion": 0.0}, labels=LABELS)
    balance(losses, []).backward()
    assert [loss.grad.item() for loss in losses.values()] == [0.5, 0]
    assert not any(value.requires_grad for value in balance.telemetry.values())


def test_every_bad_weight_is_named():
    with pytest.raises(ConfigError) as error:
        Fixed({"clik": 1.0, "conversion": -1.0}, labels=LABELS)
    unknown, negative = error.value.faults
    assert unknown.where == "weights.clik"
    assert "no label; did you mean 'click'?" in unknown.what
    assert "['click', 'conversion']" in unknown.remedy
    assert negative.where == "weights.conversion"
    assert "is -1.0" in negative.what
