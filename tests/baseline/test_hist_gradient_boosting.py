"""Boosted trees on rules that only trees, or only categorical columns, can follow."""

import numpy as np
import pytest

from recsys.baseline.base import FeatureTable, LabelledTable
from recsys.baseline.hist_gradient_boosting import HistGradientBoosting

pytestmark = pytest.mark.filterwarnings("error")  # of scikit-learn, about folds and arguments
NONE = {"numbers": np.zeros((600, 0), np.float32), "categories": np.zeros((600, 0), np.int64)}


def table(sizes=(), **columns) -> FeatureTable:
    """600 rows."""
    given = {**NONE, **columns}
    return FeatureTable(given["numbers"].astype(np.float32), given["categories"].astype(np.int64), sizes)


def fitted(rows: FeatureTable, label: np.ndarray, *, binary: bool = True, **changes) -> HistGradientBoosting:
    baseline = HistGradientBoosting(**{"max_iterations": 30, "learning_rate": 0.3, "max_leaves": 8, "seed": 0, **changes})
    nobody = rows.rows(np.zeros(len(label), bool))
    baseline.fit(LabelledTable(rows, label.astype(np.float64)), LabelledTable(nobody, np.zeros(0)), binary=binary)
    return baseline


def follows(rows: FeatureTable, label: np.ndarray, **changes) -> bool:
    """Whether every row gets its own label."""
    return bool(((fitted(rows, label, **changes).predict(rows) > 0.5) == label).all())


def test_a_rule_of_two_numbers_is_learnt_without_categories():
    numbers = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    numbers[np.abs(numbers) < 0.1] = 0.5
    assert follows(table(numbers=numbers), (numbers > 0).all(1))


def test_a_rule_of_categories_is_learnt_without_numbers():
    categories = np.random.default_rng(0).integers(0, 6, (600, 2))
    # neither column alone tells anything
    assert follows(table((6, 6), categories=categories), (categories.sum(1) % 2 == 0), max_leaves=31)


def test_a_small_column_is_split_by_its_values_and_not_by_their_order():
    small = np.arange(600) % 6
    rows = table((300, 6), categories=np.stack([np.arange(600) // 2, small], 1))
    # one tree of two leaves: what two thresholds on a number would need more for
    assert follows(rows, small % 2 == 0, max_iterations=1, max_leaves=2, learning_rate=1.0)


def test_a_column_of_more_than_255_values_is_read_by_the_mean_label_of_each():
    large = np.random.default_rng(0).integers(0, 100, 600)
    rows = table((300, 3), categories=np.stack([3 * large, np.random.default_rng(1).integers(0, 3, 600)], 1))
    label = large % 2 == 0
    predicted = fitted(rows, label).predict(rows)
    assert ((predicted > 0.5) == label).mean() > 0.98
    unseen = table((300, 3), categories=np.tile([[299, 0]], (600, 1)))
    # a value that training never saw stands for all: near the base rate
    assert np.isfinite(fitted(rows, label).predict(unseen)).all()


def test_a_missing_number_may_tell_something():
    numbers = np.random.default_rng(0).normal(size=(600, 1))
    numbers[::3] = np.nan
    assert follows(table(numbers=numbers), np.isnan(numbers[:, 0]))


def test_numbers_are_predicted_by_their_means():
    categories = np.arange(600)[:, None] % 3
    rows = table((3,), categories=categories)
    noise = np.where(np.arange(600) < 300, -1.0, 1.0)  # 100 rows of each value and sign
    predicted = fitted(rows, np.array([10.0, -5.0, 40.0])[categories[:, 0]] + noise, binary=False).predict(rows)
    assert predicted[:3] == pytest.approx([10.0, -5.0, 40.0], abs=0.5)


def test_numbers_may_depend_on_a_large_column():
    large = np.arange(600)[:, None] % 300
    predicted = fitted(table((300,), categories=large), (large[:, 0] > 150) * 8.0, binary=False).predict(table((300,), categories=large))
    assert np.abs(predicted - (large[:, 0] > 150) * 8.0).mean() < 0.5


@pytest.mark.parametrize(("positives", "mean"), [(0, 0.0), (600, 1.0), (1, 1 / 600), (9, 9 / 600)])
@pytest.mark.parametrize("size", [3, 300])
def test_too_few_rows_of_a_class_give_the_mean(positives, mean, size):
    rows = table((size,), categories=np.arange(600)[:, None] % size)
    assert fitted(rows, np.arange(600) < positives).predict(rows) == pytest.approx(np.full(600, mean), abs=1e-15)


@pytest.mark.parametrize(("num_rows", "binary"), [(8, True), (4, False), (20, True), (10, False)])
@pytest.mark.parametrize("size", [3, 300])
def test_a_handful_of_rows_is_enough_to_fit(num_rows, binary, size):
    rows = table((size,), categories=np.arange(600)[:, None] % size).rows(np.arange(600) < num_rows)
    predicted = fitted(rows, np.arange(num_rows) % 2, binary=binary).predict(rows)
    assert predicted == pytest.approx(np.full(num_rows, 0.5), abs=0.25)


def test_the_same_seed_gives_the_same_predictions():
    generator = np.random.default_rng(0)
    rows = table((300,), numbers=generator.normal(size=(600, 1)), categories=generator.integers(0, 300, (600, 1)))
    label = generator.random(600) < 0.4
    first, again, other = (fitted(rows, label, seed=seed).predict(rows) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("size", [3, 300])
def test_validation_says_when_trees_are_enough(size):
    generator = np.random.default_rng(0)
    rows = table((size,), numbers=generator.normal(size=(600, 1)), categories=generator.integers(0, size, (600, 1)))
    label = ((rows.numbers[:, 0] > 0) == (generator.random(600) < 0.9)).astype(np.float64)
    training = LabelledTable(rows, label)
    learnt, opposite = (HistGradientBoosting(30, 0.1, max_leaves=4, seed=0) for _ in range(2))
    learnt.fit(training, training, binary=True)
    opposite.fit(training, LabelledTable(rows, 1 - label), binary=True)  # every tree makes it worse
    assert learnt.note == "30 trees (more would be better: max_iterations ended it)"
    assert opposite.note == "10 trees"  # ten in a row without a gain
