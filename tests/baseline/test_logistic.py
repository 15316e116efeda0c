"""Logistic and ridge regression against scikit-learn on columns made by its own encoder."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder

from recsys.baseline.base import FeatureTable, LabelledTable
from recsys.baseline.logistic import Logistic

SIZES = (2, 300, 3)
"""Values of the categorical columns."""


def table(num_rows: int = 120) -> FeatureTable:
    """Two numbers, and three categorical columns whose values do not all occur."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(num_rows, 2), loc=5.0, scale=3.0).astype(np.float32)
    return FeatureTable(numbers, np.stack([generator.integers(0, min(size, 40), num_rows) for size in SIZES], 1), SIZES)


def design(rows: FeatureTable) -> np.ndarray:
    """Standardised numbers, then an indicator for every value of every column."""
    encoder = OneHotEncoder(categories=[np.arange(size) for size in rows.num_categories], sparse_output=False)
    return np.hstack([(rows.numbers - rows.numbers.mean(0)) / rows.numbers.std(0), encoder.fit_transform(rows.categories)])


def fitted(rows: FeatureTable, label: np.ndarray, *, binary: bool = True, l2: float = 1.0) -> Logistic:
    baseline = Logistic(l2=[l2], max_iterations=1000)
    training = LabelledTable(rows, label.astype(np.float64))
    baseline.fit(training, training, binary=binary)
    return baseline


def test_weights_are_those_of_logistic_regression_on_one_hot_columns():
    rows = table()
    label = rows.numbers[:, 1] + rows.categories[:, 2] > 6
    expected = LogisticRegression(C=1 / 0.5, max_iter=1000).fit(design(rows), label)
    baseline = fitted(rows, label, l2=0.5)
    assert baseline.model.coef_[0] == pytest.approx(expected.coef_[0], abs=2e-3)
    assert baseline.predict(rows) == pytest.approx(expected.predict_proba(design(rows))[:, 1], abs=2e-3)


def test_weights_of_numbers_are_those_of_ridge_regression():
    rows = table()
    label = 3 * rows.numbers[:, 0] - rows.categories[:, 0]
    expected = Ridge(alpha=2.0).fit(design(rows), label)
    baseline = fitted(rows, label, binary=False, l2=2.0)
    assert baseline.model.coef_ == pytest.approx(expected.coef_, abs=1e-2)
    assert baseline.predict(rows) == pytest.approx(expected.predict(design(rows)), abs=1e-2)


def test_an_obvious_rule_is_learnt_without_numbers():
    categories = np.tile([[0, 1], [1, 1], [0, 0], [1, 0]], (50, 1))
    rows = FeatureTable(np.zeros((200, 0), np.float32), categories, (2, 2))
    predicted = fitted(rows, categories[:, 0] == 1).predict(rows)
    assert predicted[categories[:, 0] == 1].min() > 0.95
    assert predicted[categories[:, 0] == 0].max() < 0.05


def test_an_obvious_rule_is_learnt_without_categories():
    numbers = np.linspace(-1, 1, 100, dtype=np.float32)[:, None]
    rows = FeatureTable(numbers, np.zeros((100, 0), np.int64), ())
    predicted = fitted(rows, numbers[:, 0] > 0).predict(rows)
    assert (np.diff(predicted) > 0).all()
    assert ((predicted > 0.5) == (numbers[:, 0] > 0)).all()


def test_a_missing_number_counts_as_the_mean_of_training():
    rows = table()
    rows.numbers[::5, 0] = np.nan
    baseline = fitted(rows, rows.numbers[:, 1] > 5)
    asked = rows.rows(np.arange(120) < 2)
    asked.numbers[:, 0] = [np.nan, np.nanmean(rows.numbers[:, 0])]
    asked.numbers[:, 1] = 4.0
    asked.categories[:] = 1
    missing, mean = baseline.predict(asked)
    assert missing == pytest.approx(mean, abs=1e-6)


def test_a_number_that_is_always_missing_is_left_alone():
    rows = table()
    rows.numbers[:, 0] = np.nan
    assert np.isfinite(fitted(rows, rows.numbers[:, 1] > 5).predict(rows)).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_label_is_predicted_as_it_is(value):
    rows = table()
    assert set(fitted(rows, np.full(120, value)).predict(table(3))) == {value}


def test_validation_chooses_the_penalty():
    """A rule of 120 rows beside 300 mostly unseen categories: without a penalty it is learnt by heart."""
    generator = np.random.default_rng(1)
    rows, other = (
        FeatureTable(generator.normal(size=(n, 1)).astype(np.float32), generator.integers(0, 100, (n, 1)), (100,)) for n in (120, 2000)
    )
    label, truth = ((part.numbers[:, 0] + generator.normal(size=len(part.numbers)) > 0).astype(np.float64) for part in (rows, other))
    losses = {}
    for l2 in (0.001, 10.0, 1e6):
        baseline = Logistic(l2=[l2], max_iterations=1000)
        baseline.fit(LabelledTable(rows, label), LabelledTable(other, truth), binary=True)
        losses[l2] = log_loss(truth, baseline.predict(other))
        assert baseline.note == ""
    assert min(losses, key=losses.get) == 10.0
    chosen = Logistic(l2=[1e6, 10.0, 0.001], max_iterations=1000)
    chosen.fit(LabelledTable(rows, label), LabelledTable(other, truth), binary=True)
    assert log_loss(truth, chosen.predict(other)) == pytest.approx(losses[10.0], abs=1e-4)
    assert chosen.note == "l2=10.0 (of 1000000.0, 10.0, 0.001)"
    nobody = LabelledTable(other.rows(np.zeros(2000, bool)), truth[:0])
    chosen.fit(LabelledTable(rows, label), nobody, binary=True)
    assert chosen.note == ""


def test_a_fit_that_did_not_converge_says_so():
    rows = table()
    training = LabelledTable(rows, (rows.numbers[:, 1] > 5).astype(np.float64))
    baseline = Logistic(l2=[1e-3], max_iterations=2)
    baseline.fit(training, training, binary=True)
    assert "not converged after max_iterations=2" in baseline.note


def test_numbers_beyond_those_of_training_count_as_the_nearest():
    rows = table()
    baseline = fitted(rows, rows.numbers[:, 0] > 5)
    asked = rows.rows(np.arange(120) < 2)
    asked.categories[:], asked.numbers[:, 1] = 1, 4.0
    asked.numbers[:, 0] = [rows.numbers[:, 0].max(), 1e6]
    nearest, beyond = baseline.predict(asked)
    assert beyond == nearest
