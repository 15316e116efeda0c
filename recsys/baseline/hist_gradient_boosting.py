"""Gradient-boosted trees: hard to beat on tables of this size. N rows."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from recsys.baseline.base import FeatureTable, ImpressionBaseline

MAX_CATEGORIES = 255
"""Categories that scikit-learn's histograms hold; a column of more enters as the mean label of its category (cross-fitted)."""
FEWEST = 10
"""With fewer rows of either class, or of a number, nothing can be held back or cross-fitted: the mean is predicted."""


class HistGradientBoosting(ImpressionBaseline):
    """scikit-learn's HistGradientBoosting (after LightGBM: Ke et al., NeurIPS 2017), stopped early on a tenth of the training rows.

    Args:
        max_iterations: trees at most.
        learning_rate: shrinkage of each.
        max_leaves: of a tree.
        seed: of the rows held back and of cross-fitting.
    """

    name = "hist_gradient_boosting"

    def __init__(self, max_iterations: int, learning_rate: float, *, max_leaves: int, seed: int):
        self.max_iterations = max_iterations
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.seed = seed

    def fit(self, table: FeatureTable, label: np.ndarray, *, binary: bool) -> None:
        sizes = np.array(table.num_categories, dtype=np.int64)
        self.few, self.many = np.flatnonzero(sizes <= MAX_CATEGORIES), np.flatnonzero(sizes > MAX_CATEGORIES)
        rarer = min(label.sum(), len(label) - label.sum()) if binary else len(label)
        self.constant = float(label.mean()) if label.min() == label.max() or rarer < FEWEST else None
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
        self.model.fit(self._columns(table, encoded), label)

    def predict(self, table: FeatureTable) -> np.ndarray:
        if self.constant is not None:
            return np.full(len(table.categories), self.constant)
        encoded = table.categories[:, self.many]
        columns = self._columns(table, self.encoder.transform(encoded) if len(self.many) else encoded)
        if isinstance(self.model, HistGradientBoostingRegressor):
            return self.model.predict(columns)
        return self.model.predict_proba(columns)[:, 1]

    def _columns(self, table: FeatureTable, encoded: np.ndarray) -> np.ndarray:
        return np.hstack([table.numbers, encoded, table.categories[:, self.few]]).astype(np.float32)
