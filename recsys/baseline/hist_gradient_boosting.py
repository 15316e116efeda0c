"""Gradient-boosted trees: hard to beat on tables of this size. N rows."""

from typing import Annotated

import numpy as np
from annotated_types import Ge
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from recsys.baseline.base import FeatureTable, ImpressionBaseline, LabelledTable
from recsys.ranges import Count, Positive, Seed

MAX_CATEGORIES = 255
"""Categories that scikit-learn's histograms hold; a column of more enters as the mean label of its category (cross-fitted)."""
FEWEST = 10
"""With fewer rows of either class, or of a number, nothing can be held back or cross-fitted: the mean is predicted."""


class HistGradientBoosting(ImpressionBaseline):
    """scikit-learn's HistGradientBoosting (after LightGBM: Ke et al., NeurIPS 2017); validation says when trees are enough.

    Args:
        max_iterations: trees at most.
        learning_rate: shrinkage of each.
        max_leaves: of a tree.
        seed: of cross-fitting, and of the rows held back where validation has none.
    """

    name = "hist_gradient_boosting"

    def __init__(self, max_iterations: Count, learning_rate: Positive, *, max_leaves: Annotated[int, Ge(2)], seed: Seed):
        self.max_iterations = max_iterations
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.seed = seed

    def fit(self, training: LabelledTable, validation: LabelledTable, *, binary: bool) -> None:
        table, label = training.table, training.label
        sizes = np.array(table.num_categories, dtype=np.int64)
        self.few, self.many = np.flatnonzero(sizes <= MAX_CATEGORIES), np.flatnonzero(sizes > MAX_CATEGORIES)
        rarer = min(label.sum(), len(label) - label.sum()) if binary else len(label)
        self.constant = float(label.mean()) if label.min() == label.max() or rarer < FEWEST else None
        self.note = ""
        if self.constant is not None:
            return
        encoded = table.categories[:, self.many]
        if len(self.many):
            folds = (StratifiedKFold if binary else KFold)(5, shuffle=True, random_state=self.seed)
            self.encoder = TargetEncoder(target_type="binary" if binary else "continuous", cv=folds)
            encoded = self.encoder.fit_transform(encoded, label)
        family = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
        categorical = table.numbers.shape[1] + len(self.many) + np.arange(len(self.few))
        self.model = family(
            max_iter=self.max_iterations,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaves,
            categorical_features=categorical,
            early_stopping=True,
            random_state=self.seed,
        )
        held_out = (self._encoded(validation.table), validation.label) if len(validation.label) else (None, None)
        self.model.fit(self._columns(table, encoded), label, X_val=held_out[0], y_val=held_out[1])
        trees = self.model.n_iter_
        self.note = f"{trees} trees" + (" (more would be better: max_iterations ended it)" if trees == self.max_iterations else "")

    def predict(self, table: FeatureTable) -> np.ndarray:
        if self.constant is not None:
            return np.full(len(table.categories), self.constant)
        columns = self._encoded(table)
        if isinstance(self.model, HistGradientBoostingRegressor):
            return self.model.predict(columns)
        return self.model.predict_proba(columns)[:, 1]

    def _encoded(self, table: FeatureTable) -> np.ndarray:
        many = table.categories[:, self.many]
        return self._columns(table, self.encoder.transform(many) if len(self.many) else many)

    def _columns(self, table: FeatureTable, encoded: np.ndarray) -> np.ndarray:
        return np.hstack([table.numbers, encoded, table.categories[:, self.few]]).astype(np.float32)
