"""The AUC of one feature, from rows made by hand: half and label of each, and the value it has."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.data.check.leaked_labels import feature_auc
from recsys.schema import Categorical, MultiCategorical, Numeric, Timestamp

UNKNOWN = 1
LABEL = np.tile([0, 0, 0, 1], 200)
HALF = np.repeat([0, 1], 400)
RANDOM = np.random.Generator(np.random.Philox(7))


def by_row(label: np.ndarray, half: np.ndarray = HALF) -> np.ndarray:
    """Each row its own unit."""
    counts = np.zeros((len(label), 2, 2), dtype=np.int64)
    counts[np.arange(len(label)), half, label] = 1
    return counts


def auc_of(values: np.ndarray, kind: type = Categorical, label: np.ndarray = LABEL) -> float:
    return feature_auc(kind("x", "context").readings(values), by_row(label))[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_number_counts_rising_or_falling_with_its_ties(sign):
    values = (LABEL + RANDOM.normal(size=800)).round(1)
    assert len(np.unique(values)) < 100
    assert auc_of(sign * values, Numeric) == pytest.approx(roc_auc_score(LABEL, values))


def test_number_is_asked_of_rows_that_have_one():
    values = np.where(np.arange(800) % 8 < 4, LABEL + RANDOM.random(800) / 2, np.nan)  # every other group of four is missing
    assert feature_auc(Numeric("x", "context").readings(values), by_row(LABEL)) == (1.0, 400)


def test_number_that_few_positives_have_is_not_asked():
    values = np.where(np.arange(800) < 49 * 4, LABEL, np.nan)  # 49 positives and 147 negatives
    alternating = by_row(LABEL, np.arange(800) // 4 % 2)
    assert feature_auc(Numeric("x", "context").readings(values), alternating)[0] < 0.9
    values[196:200] = LABEL[196:200]  # one more of each
    assert feature_auc(Numeric("x", "context").readings(values), alternating) == (1.0, 200)


def test_number_filled_after_the_fact_is_found():
    assert auc_of(np.where(LABEL == 1, RANDOM.random(800), np.nan), Numeric) == 1


def test_special_value_of_a_number_is_found():
    values = np.where(LABEL == 1, 0.0, RANDOM.choice([-1, 1], 800) * (1 + RANDOM.random(800)))
    assert 0.4 < roc_auc_score(LABEL, values) < 0.6
    assert auc_of(values, Numeric) == 1


def test_moment_counts_as_a_number():
    moments = 1_700_000_000 + 86_400 * LABEL + RANDOM.integers(0, 400_000, 800)
    assert auc_of(moments, Timestamp) == pytest.approx(roc_auc_score(LABEL, moments))


def test_category_counts_with_the_rate_of_the_other_half():
    # half 0: 100 positives and 300 negatives; a 60 and 40, b 40 and 260. In half 1: a 50 and 50, b 50 and 250. a > b in both.
    label = np.repeat([1, 0, 1, 0] * 2, [60, 40, 40, 260, 50, 50, 50, 250])
    values = np.repeat([2, 2, 3, 3] * 2, [60, 40, 40, 260, 50, 50, 50, 250])
    scored = roc_auc_score(label[:400], values[:400] == 2), roc_auc_score(label[400:], values[400:] == 2)
    assert auc_of(values, label=label) == pytest.approx(sum(scored) / 2)


def test_a_value_seen_once_says_little():
    # in each half: 2 is positive in 90 of 100 rows, 4 in 10 of 299, and 3 in the one row it has in half 0, not in that of half 1
    label = np.repeat([1, 0, 1, 1, 0, 1, 0, 0, 1, 0], [90, 10, 1, 10, 289, 90, 10, 1, 10, 289])
    values = np.repeat([2, 2, 3, 4, 4, 2, 2, 3, 4, 4], [90, 10, 1, 10, 289, 90, 10, 1, 10, 289])
    scored = roc_auc_score(label[:400], -values[:400]), roc_auc_score(label[400:], -values[400:])
    assert auc_of(values, label=label) == pytest.approx(sum(scored) / 2, abs=1e-9)


def test_rates_that_turn_around_tell_less_than_nothing():
    label = np.repeat([1, 0, 0, 1], [100, 300, 300, 100])  # 2 is all positive in half 0 and all negative in half 1
    assert auc_of(np.repeat([2, 3, 2, 3], [100, 300, 300, 100]), label=label) == 0


def test_an_id_of_its_own_for_every_row_tells_nothing():
    assert auc_of(2 + np.arange(800)) == 0.5


def test_ids_of_few_rows_do_not_tell_a_label_drawn_at_random():
    ids = RANDOM.integers(2, 202, 800)
    rate = np.bincount(ids, LABEL) / np.maximum(np.bincount(ids), 1)
    assert roc_auc_score(LABEL, rate[ids]) > 0.7  # what rates of the same rows seem to tell
    assert auc_of(ids) < 0.6


def test_an_id_given_only_after_the_fact_is_found():
    assert auc_of(np.where(LABEL == 1, 2 + np.arange(800), UNKNOWN)) == 1


def test_values_of_an_entity_count_its_rows():
    # user 1: 100 positives in each half; user 2: 300 negatives in each; user 0 pads
    counts = np.array([[[0, 0], [0, 0]], [[0, 100], [0, 100]], [[300, 0], [300, 0]]])
    assert feature_auc(Numeric("age", "user").readings(np.array([0, 30.0, 40.0])), counts) == (1.0, 800)


def test_entry_of_a_list_is_found_among_others():
    lists = np.stack([RANDOM.integers(2, 9, 800), RANDOM.integers(2, 9, 800), np.zeros(800, dtype=int)], 1)
    assert auc_of(lists, MultiCategorical) < 0.6
    lists[LABEL == 1, 2] = 9
    lists[LABEL == 0, 2] = 10
    assert auc_of(lists, MultiCategorical) == 1


def test_lists_count_with_the_mean_rate_of_their_entries():
    lists = np.array([[2, 0], [2, 3], [3, 0], [0, 0]])
    one = np.array([[0, 40], [60, 20], [200, 0], [20, 20]])  # rows by label, in each half
    # 2 is positive in 60 of 120, 3 in 20 of 280, empty in 20 of 40; with 10 rows more at 80/360: 62.2/130, 22.2/290, 22.2/50
    score = np.repeat([0.479, (0.479 + 0.077) / 2, 0.077, 0.444], one.sum(1))
    label = np.concatenate([np.repeat([0, 1], row) for row in one])
    assert feature_auc(MultiCategorical("x", "item").readings(lists), np.stack([one, one], 1))[0] == pytest.approx(
        roc_auc_score(label, score)
    )


def test_an_empty_list_is_a_value():
    lists = np.stack([RANDOM.integers(2, 9, 800), RANDOM.integers(2, 9, 800)], 1)
    lists[LABEL == 0] = 0
    assert auc_of(lists, MultiCategorical) == 1


def test_length_of_a_list_counts():
    lists = RANDOM.integers(2, 500, (800, 3))
    lists[LABEL == 0, 2] = 0
    assert auc_of(lists, MultiCategorical) == 1
