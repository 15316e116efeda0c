"""Isotonic regression against scikit-learn, and by hand."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.isotonic import IsotonicRegression

from recsys.calibration.isotonic import MAX_KNOTS, Isotonic, curve

LOGITS = 2 * torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
LABELS = torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0, 1.0])
"""Blocks: -4 with share 0, -2 to 2 with 1/3, 4 to 6 with 1. N = 6, so 0 and 1 become 1/8 and 7/8."""


def fitted(logits, labels):
    calibration = Isotonic()
    calibration.fit(logits, labels)
    return calibration


def rows(count):
    """Labels of a wavy but rising probability, whose regression has many blocks."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(count, generator=generator)
    return logits, (torch.rand(count, generator=generator) < wavy(logits)).float()


def wavy(logits):
    return (logits + 0.2 * (4 * logits).sin()).sigmoid()


def test_is_the_plain_sigmoid_before_fit():
    assert Isotonic()(torch.tensor([0.0, math.log(3)])).tolist() == pytest.approx([0.5, 0.75])


def test_blocks_have_their_share_and_straight_lines_between():
    calibration = fitted(LOGITS, LABELS)
    at = 2 * torch.tensor([-50.0, -2.0, -1.5, -1.0, 0.3, 1.0, 1.25, 2.0, 3.0, 50.0])
    third, top = 1 / 3, 7 / 8
    expected = [1 / 8, 1 / 8, (1 / 8 + third) / 2, third, third, third, 0.75 * third + 0.25 * top, top, top, top]
    assert calibration(at).tolist() == pytest.approx(expected)
    assert calibration.state()["logits"] == pytest.approx([-4, -2, 2, 4, 6])


def test_infinite_logits_are_given_the_outermost_probabilities():
    assert fitted(LOGITS, LABELS)(torch.tensor([-torch.inf, torch.inf])).tolist() == pytest.approx([1 / 8, 7 / 8])


def test_labels_of_equal_logits_are_averaged():
    calibration = fitted(torch.zeros(4), torch.tensor([0.0, 1.0, 1.0, 1.0]))
    assert calibration(torch.tensor([-1.0, 0.0, 1.0])).tolist() == pytest.approx([0.75, 0.75, 0.75])


def test_equals_scikit_learn_but_for_the_ramps_between_blocks():
    logits, labels = rows(3000)
    calibration = fitted(logits, labels)
    expected = IsotonicRegression().fit(logits.double(), labels.double()).predict(logits.double())
    apart = (calibration(logits).double() - torch.from_numpy(expected).clamp(1 / 3002, 1 - 1 / 3002)).abs()
    assert 50 < len(calibration.logits) <= MAX_KNOTS
    assert (apart < 1e-6).double().mean() > 0.5
    assert apart.mean() < 0.01


def test_no_step_is_a_cliff():
    # 0.25 and 0.75, one thousandth of a logit apart: a slope of 0.5 takes a ramp of 1, from -0.4995 to 0.5005
    logits = torch.cat([torch.linspace(-1, 0, 400), torch.linspace(0.001, 1, 400)])
    labels = torch.cat([torch.arange(400) % 4 == 0, torch.arange(400) % 4 != 0]).float()
    knots, probabilities = curve(np.array([-1.0, 0.0, 0.001, 1.0]), np.array([0.25, 0.25, 0.75, 0.75]), logits.numpy())
    assert knots.tolist() == pytest.approx([-1, -0.4995, 0.5005, 1])
    assert probabilities.tolist() == [0.25, 0.25, 0.75, 0.75]
    state = fitted(logits, labels).state()
    assert (np.diff(state["probabilities"]) <= 0.501 * np.diff(state["logits"])).all()


def test_a_block_too_short_for_its_ramps_joins_the_nearest():
    # the middle block is 0.1 wide; a rise of 0.04 below it and of 0.2 above take ramps of 0.08 and 0.4, half of each out of it
    knots = np.array([-1.0, -0.001, 0.0, 0.1, 0.101, 1.0])
    ramps, probabilities = curve(knots, np.array([0.06, 0.06, 0.1, 0.1, 0.3, 0.3]), np.linspace(-1, 1, 2001))
    # so it joins the one below, whose share is nearer: 1,000 rows of 0.06 and 101 of 0.1 are 0.0637, and the ramp above is 0.4726 wide
    assert probabilities.tolist() == pytest.approx([0.0637, 0.0637, 0.3, 0.3], abs=1e-4)
    assert ramps.tolist() == pytest.approx([-1, 0.1005 - 0.2363, 0.1005 + 0.2363, 1], abs=1e-4)


def test_never_falls():
    calibration = fitted(*rows(3000))
    probabilities = calibration(torch.linspace(-20, 20, 10_001))
    assert probabilities.diff().min() >= -1e-7  # rounding of float32
    assert probabilities[-1] - probabilities[0] > 0.9


def test_log_loss_stays_finite_where_logits_separate_labels():
    logits = 2 * torch.arange(10.0)
    probabilities = fitted(logits, (torch.arange(10) > 4).float())(logits)
    assert probabilities.tolist() == pytest.approx([1 / 12] * 5 + [11 / 12] * 5)


def test_logits_closer_than_float32_are_one():
    calibration = fitted(torch.tensor([1.0, 1.0 + 1e-12, 2.0], dtype=torch.float64), torch.tensor([0.0, 1.0, 1.0]))
    # 1 with share 1/2, 2 with 1, which becomes 4/5
    assert calibration(torch.tensor([1.0, 2.0])).tolist() == pytest.approx([0.5, 0.8])


def test_many_blocks_are_merged_into_a_curve_as_good():
    logits, labels = rows(300_000)
    expected = IsotonicRegression().fit(logits.double(), labels.double())
    calibration = fitted(logits, labels)
    assert len(expected.X_thresholds_) > MAX_KNOTS >= len(calibration.logits) > MAX_KNOTS - 24
    probabilities = calibration(logits).double()
    assert probabilities.mean().item() == pytest.approx(labels.mean().item(), abs=1e-5)
    full = torch.from_numpy(expected.predict(logits.double())).clamp(1 / 300_002, 1 - 1 / 300_002)
    log_loss, truth = torch.nn.functional.binary_cross_entropy, wavy(logits).double()
    assert log_loss(probabilities, truth) <= log_loss(full, truth)


def test_blocks_that_cost_least_are_merged_first(monkeypatch):
    monkeypatch.setattr("recsys.calibration.isotonic.MAX_KNOTS", 5)
    # three blocks of two logits, shares 0.01, 0.1 and 0.3 of 100, 200 and 100 rows. Log loss that a merger costs, in rows * nats:
    # first two: 300 H(0.07) - 100 H(0.01) - 200 H(0.1) = 76.1 - 5.6 - 65.0 = 5.5
    # last two: 300 H(1/6) - 200 H(0.1) - 100 H(0.3) = 135.2 - 65.0 - 61.1 = 9.1
    count = np.array([10, 90, 190, 10, 50, 50])
    logits = np.repeat(np.arange(6.0), count)
    knots, probabilities = curve(np.arange(6.0), np.array([0.01, 0.01, 0.1, 0.1, 0.3, 0.3]), logits)
    assert knots.tolist() == [0, 3, 4, 5]
    assert probabilities.tolist() == pytest.approx([0.07, 0.07, 0.3, 0.3])


def test_state_survives_json():
    calibration, loaded = fitted(*rows(500)), Isotonic()
    loaded.load(json.loads(json.dumps(calibration.state())))
    at = torch.linspace(-10, 10, 101)
    assert torch.equal(loaded(at), calibration(at))
    assert not torch.equal(loaded(at), Isotonic()(at))


@pytest.mark.parametrize("is_fitted", [True, False])
def test_exported_graph_answers_alike(served, is_fitted):
    calibration = fitted(LOGITS, LABELS) if is_fitted else Isotonic()
    at = torch.tensor([-50.0, -2.0, -1.5, -1.0, 0.3, 1.25, 3.0, 50.0])
    for count, answers in served(calibration, at).items():
        assert answers.tolist() == pytest.approx(calibration(at[:count]).tolist(), abs=1e-6)
