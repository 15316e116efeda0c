"""The mean of a label in training: what knowing nothing of a row predicts."""

import numpy as np

from recsys.baseline.base import FeatureTable, ImpressionBaseline, LabelledTable


class Prior(ImpressionBaseline):
    """Predicts the same for every row."""

    name = "prior"

    def fit(self, training: LabelledTable, validation: LabelledTable, *, binary: bool) -> None:
        self.mean = float(training.label.mean())

    def predict(self, table: FeatureTable) -> np.ndarray:
        return np.full(len(table.categories), self.mean)
