"""Logistic regression on one-hot columns; ridge regression for numbers. N rows."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from recsys.baseline.base import FeatureTable, ImpressionBaseline, LabelledTable, choice_note, choose
from recsys.ranges import Count, Positives


class Logistic(ImpressionBaseline):
    """A linear model of standardised numbers and of an indicator per category.

    Numbers beyond those of training count as the nearest of these: counts, such as the length of a history, grow with time.

    Args:
        l2: strengths of the penalty: on the sum of squared weights, beside the sum of losses over rows; validation chooses.
        max_iterations: of L-BFGS; where they were too few, the note says so.
    """

    name = "logistic"

    def __init__(self, l2: Positives, max_iterations: Count):
        self.l2 = l2
        self.max_iterations = max_iterations

    def fit(self, training: LabelledTable, validation: LabelledTable, *, binary: bool) -> None:
        table, label = training.table, training.label
        self.numbers = None
        if table.numbers.shape[1]:
            steps = (SimpleImputer(keep_empty_features=True), MinMaxScaler(clip=True), StandardScaler())
            self.numbers = make_pipeline(*steps).fit(table.numbers)
        self.constant = float(label.mean()) if label.min() == label.max() else None
        self.note = ""
        if self.constant is None:
            columns = self._columns(table)
            self.model = LogisticRegression(max_iter=self.max_iterations, warm_start=True) if binary else Ridge()

            def quality() -> float:
                predicted = self.predict(validation.table)
                loss = log_loss(validation.label, predicted, labels=[0, 1]) if binary else mean_squared_error(validation.label, predicted)
                return -loss

            tried = self.l2 if len(validation.label) else self.l2[:1]
            chosen = choose(tried, lambda l2: self._solve(columns, label, l2), quality)
            self.note = choice_note(l2=(chosen, tried)) + (
                "" if self.converged else f", not converged after max_iterations={self.max_iterations}"
            )

    def _solve(self, columns: sparse.csr_matrix, label: np.ndarray, l2: float) -> None:
        """Fit with a penalty, from the weights of the one before on."""
        self.model.set_params(**({"alpha": l2} if isinstance(self.model, Ridge) else {"C": 1 / l2}))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            self.model.fit(columns, label)
        self.converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)

    def predict(self, table: FeatureTable) -> np.ndarray:
        if self.constant is not None:
            return np.full(len(table.categories), self.constant)
        columns = self._columns(table)
        return self.model.predict(columns) if isinstance(self.model, Ridge) else self.model.predict_proba(columns)[:, 1]

    def _columns(self, table: FeatureTable) -> sparse.csr_matrix:
        """[N, all]: numbers first, then one column per category of each categorical column."""
        number, width = len(table.categories), sum(table.num_categories)
        first = np.cumsum([0, *table.num_categories[:-1]]) if table.num_categories else np.zeros(0, np.int64)
        at = (table.categories + first).ravel()
        starts = np.arange(number + 1) * table.categories.shape[1]
        indicators = sparse.csr_matrix((np.ones(len(at), np.float32), at, starts), shape=(number, width))
        if self.numbers is None:
            return indicators
        return sparse.hstack([sparse.csr_matrix(self.numbers.transform(table.numbers)), indicators], format="csr")
