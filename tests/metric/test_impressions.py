"""The metrics of a report and their intervals: against the single metrics, materialised resamples and theory."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from recsys.metric.impressions import impressions

Columns = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]

tied_rows = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.integers(0, 1), st.sampled_from([-3, 5, 8]), st.integers(0, 1)),
    min_size=1,
    max_size=25,
)


def columns(rows: list[tuple[float, int, int, int]]) -> Columns:
    probability, label, user, session = zip(*rows)
    return torch.tensor(probability, dtype=torch.float64), torch.tensor(label), torch.tensor(user), torch.tensor(session)


def calibrated(num_rows: int, num_users: int, seed: int) -> Columns:
    """Labels drawn from the probabilities themselves."""
    generator = torch.Generator().manual_seed(seed)
    probability = 0.4 * torch.rand(num_rows, generator=generator, dtype=torch.float64)
    label = (torch.rand(num_rows, generator=generator, dtype=torch.float64) < probability).long()
    user, session = (torch.randint(count, (num_rows,), generator=generator) for count in (num_users, 3))
    return probability, label, user, session


@given(tied_rows, st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(max_examples=100, deadline=None)
def test_measure_with_copies_equals_metrics_of_materialised_resample(rows, drawn):
    probability, label, user, session = columns(rows)
    users, unit = user.unique(return_inverse=True)
    copies = torch.tensor(drawn)[: len(users)]
    times = copies[unit]
    row = torch.arange(len(rows)).repeat_interleave(times)
    copy = torch.cat([torch.arange(int(count)) for count in times])  # each copy is a user of its own

    got = impressions(probability, label, user=user, session=session, ks=[2]).measure(copies.numpy())

    metrics, missing = impressions(probability[row], label[row], user=user[row] * 10 + copy, session=session[row], ks=[2]).metrics()
    assert {name for name, value in got.items() if math.isnan(value)} == set(missing)
    for name in set(got) - set(missing):
        assert got[name] == pytest.approx(metrics[name], abs=1e-12), name


def test_metrics_agree_with_scikit_learn():
    probability, label, user, session = calibrated(2000, 50, seed=0)

    metrics, missing = impressions(probability, label, user=user, session=session, ks=[5]).metrics()

    rate = label.double().mean().item()
    loss = log_loss(label, probability)
    entropy = log_loss(label, np.full(2000, rate))
    assert missing == {}
    assert metrics["auc"] == pytest.approx(roc_auc_score(label, probability), abs=1e-12)
    assert metrics["pr_auc"] == pytest.approx(average_precision_score(label, probability), abs=1e-12)
    assert metrics["log_loss"] == pytest.approx(loss, abs=1e-12)
    assert metrics["normalized_entropy"] == pytest.approx(loss / entropy, abs=1e-12)
    by_user = {one: roc_auc_score(label[user == one], probability[user == one]) for one in range(50)}
    assert metrics["gauc"] == pytest.approx(sum(value * int((user == one).sum()) for one, value in by_user.items()) / 2000, abs=1e-12)


def test_metrics_by_hand():
    # two users share the name of session 1: three lists, the first without a positive
    rows = [(0.8, 0, 1, 1), (0.3, 0, 1, 1), (0.5, 1, 2, 1), (0.6, 0, 2, 1), (0.4, 1, 2, 2)]

    metrics, missing = impressions(*columns(rows)[:2], user=columns(rows)[2], session=columns(rows)[3], ks=[1, 2]).metrics()

    assert missing == {}
    assert metrics["auc"] == 2 / 6  # 0.5 and 0.4 beat 0.3 only
    assert metrics["gauc"] == metrics["gauc_by_positives"] == 0.0
    assert metrics["predicted_over_actual"] == pytest.approx(2.6 / 2, abs=1e-15)
    assert metrics["recall@1"] == metrics["ndcg@1"] == 0.5
    assert metrics["recall@2"] == 1.0
    assert metrics["ndcg@2"] == pytest.approx((1 / math.log2(3) + 1) / 2, abs=1e-15)
    assert {name: metrics[name] for name in ("rows", "positives", "gauc_users", "ranked_lists")} == {
        "rows": 5.0,
        "positives": 2.0,
        "gauc_users": 1.0,
        "ranked_lists": 2.0,
    }


def test_lists_are_users_without_sessions():
    rows = [(0.8, 0, 1, 0), (0.3, 1, 1, 1), (0.5, 1, 2, 0)]

    metrics, _ = impressions(*columns(rows)[:2], user=columns(rows)[2], ks=[1]).metrics()

    assert metrics["recall@1"] == 0.5
    assert metrics["ranked_lists"] == 2.0


def test_missing_says_why_when_no_row_is_positive():
    probability = torch.linspace(0, 1, 1234, dtype=torch.float64)

    metrics, missing = impressions(probability, torch.zeros(1234), user=torch.zeros(1234), ks=[10]).metrics()

    undefined = {"auc", "gauc", "gauc_by_positives", "pr_auc", "normalized_entropy", "predicted_over_actual", "ndcg@10", "recall@10"}
    assert missing == dict.fromkeys(undefined, "n/a: no positive among 1,234 rows")
    assert set(metrics) == {"log_loss", "ece", "ece_noise", "rows", "positives", "gauc_users", "ranked_lists"}


def test_missing_says_why_when_no_row_is_negative():
    _, missing = impressions(torch.rand(3), torch.ones(3), user=torch.zeros(3), ks=[1]).metrics()

    assert missing == dict.fromkeys(("auc", "gauc", "gauc_by_positives", "normalized_entropy"), "n/a: no negative among 3 rows")


def test_missing_says_why_when_no_user_has_both_classes():
    _, missing = impressions(torch.tensor([0.2, 0.4]), torch.tensor([0, 1]), user=torch.tensor([1, 2]), ks=[1]).metrics()

    assert missing == dict.fromkeys(("gauc", "gauc_by_positives"), "n/a: no user has both a positive and a negative")


def test_missing_says_why_without_users():
    metrics, missing = impressions(torch.tensor([0.2, 0.4]), torch.tensor([0, 1]), user=None, ks=[1]).metrics()

    assert missing == {
        "gauc": "n/a: rows have no user",
        "gauc_by_positives": "n/a: rows have no user",
        "ndcg@1": "n/a: rows have neither user nor session",
        "recall@1": "n/a: rows have neither user nor session",
    }
    assert metrics["auc"] == 1.0


def test_no_rows_have_no_metric_and_no_interval():
    nothing = torch.empty(0, dtype=torch.int64)

    metrics, missing = impressions(nothing.double(), nothing, user=nothing, ks=[1]).metrics()

    assert set(metrics.values()) == {0.0}
    assert set(missing.values()) == {"n/a: no rows"}
    assert impressions(nothing.double(), nothing, user=nothing, ks=[1]).intervals() == ({}, {})


@pytest.mark.parametrize("of", ["user", "session", "row"])
def test_intervals_contain_the_estimates(of):
    probability, label, user, session = calibrated(2000, 100, seed=1)
    drawn = {"user": user if of == "user" else None, "session": user * 3 + session if of != "row" else None}

    bounds = impressions(probability, label, **drawn, ks=[3]).intervals()[0]

    metrics, missing = impressions(probability, label, **drawn, ks=[3]).metrics()
    assert set(bounds) == set(metrics) - {"rows", "positives", "gauc_users", "ranked_lists", "ece", "ece_noise"}
    assert not set(bounds) & set(missing)
    for name, (low, high) in bounds.items():
        assert low < metrics[name] < high, name


def test_interval_of_auc_has_the_width_of_theory():
    probability, label, _, _ = calibrated(3000, 1, seed=2)

    low, high = impressions(probability, label, user=None, ks=[1]).intervals()[0]["auc"]

    # DeLong et al., Biometrics 1988: the variance of AUC from each row's share of pairs won
    positive, negative = probability[label == 1], probability[label == 0]
    won = (positive[:, None] > negative).double()  # [P, N - P]
    error = math.sqrt(won.mean(1).var() / len(positive) + won.mean(0).var() / len(negative))
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.01)


def test_interval_is_wider_when_rows_of_a_user_move_together():
    # every user's 20 rows are the same row: 400 users know as much as 400 rows
    probability, label, _, _ = calibrated(400, 1, seed=3)
    user = torch.arange(400).repeat_interleave(20)
    probability, label = probability.repeat_interleave(20), label.repeat_interleave(20)

    by_user = impressions(probability, label, user=user, ks=[1]).intervals()[0]["log_loss"]
    by_row = impressions(probability, label, user=None, ks=[1]).intervals()[0]["log_loss"]

    width = (by_user[1] - by_user[0]) / (by_row[1] - by_row[0])
    assert width == pytest.approx(math.sqrt(20), rel=0.2)


def test_metrics_on_which_few_users_bear_say_so_instead():
    # 40 users of two rows each, and 7 of them convert
    label = torch.zeros(80, dtype=torch.int64)
    label[: 2 * 7 : 2] = 1
    user = torch.arange(40).repeat_interleave(2)
    bounds, missing = impressions(torch.linspace(0.1, 0.9, 80, dtype=torch.float64), label, user=user, ks=[1]).intervals()
    assert bounds == {}
    assert set(missing) >= {"auc", "log_loss", "predicted_over_actual", "gauc", "ndcg@1"}
    assert all("7" in reason and "20" in reason for reason in missing.values())


def test_a_calibration_error_has_the_noise_of_right_predictions_beside_it():
    probability, label, user, _ = calibrated(200_000, 200_000, seed=5)  # labels drawn by the probabilities
    metrics, _ = impressions(probability, label, user=user, ks=[]).metrics()
    assert metrics["ece"] == pytest.approx(metrics["ece_noise"], rel=0.5)
    assert metrics["ece_noise"] > 0


@pytest.mark.parametrize("metric", ["auc", "pr_auc", "gauc", "log_loss", "normalized_entropy", "predicted_over_actual", "ndcg@3"])
def test_an_influence_is_the_derivative_by_the_weight_of_a_user(metric):
    probability, label, user, _ = calibrated(400, 25, seed=6)
    rows = impressions(probability.round(decimals=2), label, user=user, ks=[3])  # with ties
    once = np.full(25, 1_000)
    influence = rows.influences(rows.measure(np.ones(25, np.int64)))[metric]
    for unit in (0, 7, 24):
        more, less = once.copy(), once.copy()
        more[unit] += 1
        less[unit] -= 1
        slope = (rows.measure(more)[metric] - rows.measure(less)[metric]) * 1_000 / 2
        assert influence[unit] == pytest.approx(slope, rel=1e-3, abs=1e-8)


def test_logits_are_refused():
    with pytest.raises(ValueError, match=r"1 of 2 outside or NaN; pass sigmoid"):
        impressions(torch.tensor([0.5, 1.5]), torch.tensor([0, 1]), user=None, ks=[1])


def test_nan_is_refused():
    with pytest.raises(ValueError, match=r"1 of 2 outside or NaN"):
        impressions(torch.tensor([0.5, math.nan]), torch.tensor([0, 1]), user=None, ks=[1])


def test_label_other_than_0_and_1_is_refused():
    with pytest.raises(ValueError, match=r"0 or 1, got 5"):
        impressions(torch.tensor([0.5, 0.5]), torch.tensor([0, 5]), user=None, ks=[1])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"got \[2, 2, 3\] rows"):
        impressions(torch.tensor([0.5, 0.5]), torch.tensor([0, 1]), user=torch.tensor([1, 2, 3]), ks=[1])


def test_units_of_the_rarer_class_bear_on_a_label():
    label = torch.tensor([1, 0, 0, 1, 0, 1, 0])
    rows = impressions(torch.rand(7), label, user=torch.tensor([5, 5, 6, 7, 8, 7, 9]), ks=[])
    assert rows.num_bearing() == 2  # users 5 and 7 of five
    assert impressions(torch.rand(7), label, user=None, ks=[]).num_bearing() == 3  # rows
