"""Binary metrics against all pairs, against scikit-learn, and against numbers worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from recsys.metric.binary import base_entropy, log_losses, sort_rows, tally

tied_rows = st.lists(st.tuples(st.sampled_from([0.0, 1e-300, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 1)), min_size=1, max_size=30)
distinct_rows = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30)
rows_of_both_kinds = st.one_of(tied_rows, distinct_rows)


def tensors(rows: list[tuple[float, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    probability, label = zip(*rows)
    return torch.tensor(probability, dtype=torch.float64), torch.tensor(label)


def both_classes(rows: list[tuple[float, int]]) -> bool:
    return {label for _, label in rows} == {0, 1}


@given(rows_of_both_kinds.filter(both_classes))
@settings(max_examples=100, deadline=None)
def test_auc_equals_all_pairs_and_scikit_learn(rows):
    positives = [probability for probability, label in rows if label]
    negatives = [probability for probability, label in rows if not label]
    won = sum((high > low) + 0.5 * (high == low) for high in positives for low in negatives)
    probability, label = tensors(rows)

    got = tally(probability, label).auc()

    assert got == pytest.approx(won / (len(positives) * len(negatives)), abs=1e-15)
    assert got == pytest.approx(roc_auc_score(label, probability), abs=1e-12)


@given(rows_of_both_kinds.filter(both_classes))
@settings(max_examples=100, deadline=None)
def test_average_precision_equals_scikit_learn(rows):
    probability, label = tensors(rows)

    assert tally(probability, label).average_precision() == pytest.approx(average_precision_score(label, probability), abs=1e-12)


@given(rows_of_both_kinds)
@settings(max_examples=100, deadline=None)
def test_log_loss_equals_scikit_learn(rows):
    probability, label = tensors(rows)
    clipped = probability.clamp(2.0**-24, 1 - 2.0**-24)

    assert log_losses(probability, label).mean() == pytest.approx(sklearn_log_loss(label, clipped, labels=[0, 1]), abs=1e-12)


@given(rows_of_both_kinds, st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_calibration_error_equals_a_loop_over_bins(rows, bins):
    members = [[] for _ in range(bins)]
    for probability, label in rows:
        smaller = sum(other < probability for other, _ in rows)
        members[smaller * bins // len(rows)].append(probability - label)
    expected = sum(abs(sum(member)) for member in members) / len(rows)

    assert tally(*tensors(rows)).calibration_error(bins) == pytest.approx(expected, abs=1e-12)


@given(rows_of_both_kinds, st.data())
@settings(max_examples=100, deadline=None)
def test_tally_with_weights_equals_tally_of_repeated_rows(rows, data):
    weight = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))))
    probability, label = tensors(rows)
    ordered = sort_rows(probability, label)

    got = ordered.tally(weight.numpy()[ordered.order])

    repeated = probability.repeat_interleave(weight), label.repeat_interleave(weight)
    assert got.auc() == pytest.approx(tally(*repeated).auc(), nan_ok=True, abs=0)
    assert got.average_precision() == pytest.approx(tally(*repeated).average_precision(), nan_ok=True, abs=1e-12)
    assert got.calibration_error(4) == pytest.approx(tally(*repeated).calibration_error(4), nan_ok=True, abs=1e-12)


def test_ranked_metrics_by_hand():
    # best first: 1, tied (0, 1), 0. Pairs: 1 beats both negatives; the tied 1 halves one and beats the other: 3.5 of 4
    probability, label = tensors([(0.9, 1), (0.6, 0), (0.6, 1), (0.1, 0)])

    assert tally(probability, label).auc() == 3.5 / 4
    assert tally(probability, label).average_precision() == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3, abs=1e-15)


def test_constant_score_is_chance():
    probability, label = tensors([(0.3, 1), (0.3, 0), (0.3, 0), (0.3, 0)])

    assert tally(probability, label).auc() == 0.5
    assert tally(probability, label).average_precision() == 0.25


def test_probability_metrics_by_hand():
    probability, label = tensors([(0.5, 1), (0.25, 0), (0.25, 0), (0.5, 0)])
    loss = -(math.log(0.5) + 2 * math.log(0.75) + math.log(0.5)) / 4
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))

    assert log_losses(probability, label).mean() == pytest.approx(loss, abs=1e-15)
    assert base_entropy(1, 4) == pytest.approx(entropy, abs=1e-15)
    # two bins: 0.25 predicted of 0 actual, 0.5 predicted of 0.5 actual
    assert tally(probability, label).calibration_error(2) == pytest.approx(0.125, abs=1e-15)


def test_base_rate_has_no_calibration_error():
    probability, label = tensors([(0.2, 1), *[(0.2, 0)] * 4])

    assert tally(probability, label).calibration_error() == pytest.approx(0.0, abs=1e-15)


def test_calibration_error_sees_the_top_twentieth():
    # 100 rows: the 5 highest say 1.0 and none converts, all others are right
    probability = torch.cat([torch.zeros(95, dtype=torch.float64), torch.ones(5, dtype=torch.float64)])

    assert tally(probability, torch.zeros(100)).calibration_error() == pytest.approx(0.05, abs=1e-15)


def test_log_loss_of_a_certain_mistake_is_finite():
    assert log_losses(torch.tensor([1.0]), torch.tensor([0])).item() == pytest.approx(24 * math.log(2), abs=1e-9)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_order_metrics_undefined(label):
    rows = tensors([(0.1, label), (0.7, label)])

    assert math.isnan(tally(*rows).auc())
    assert math.isnan(base_entropy(2 * label, 2))
    assert math.isnan(tally(*rows).average_precision()) == (label == 0)


def test_no_rows_leave_everything_undefined():
    nothing = torch.empty(0, dtype=torch.float64)

    counts = tally(nothing, nothing)
    assert all(math.isnan(value) for value in (counts.auc(), counts.average_precision(), counts.calibration_error()))


@pytest.mark.parametrize("dtype", [torch.bool, torch.int8, torch.int64, torch.float32])
def test_labels_of_every_dtype_are_alike(dtype):
    probability, label = tensors([(0.9, 1), (0.6, 0), (0.6, 1), (0.1, 0)])

    one, other = tally(probability, label), tally(probability, label.to(dtype))
    assert (one.rows == other.rows).all()
    assert (one.positives == other.positives).all()
    assert (log_losses(probability, label.to(dtype)) == log_losses(probability, label)).all()


def test_large_order_is_exact():
    # 200,000 rows in reverse order but for one pair of neighbours: exactly 1 of 10 ** 10 pairs is in order
    label = torch.cat([torch.ones(100_000), torch.zeros(100_000)])
    probability = torch.arange(200_000, dtype=torch.float64)
    probability[[99_999, 100_000]] = probability[[100_000, 99_999]]

    assert tally(probability, label).auc() == 1 / 10**10
