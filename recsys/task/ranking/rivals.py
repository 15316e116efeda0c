"""Predictions of baselines and of the truth for the impressions of the test, as served and with bias columns known. N rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from recsys.baseline.base import FeatureTable, ImpressionBaseline
from recsys.batch import Truth
from recsys.data.read.datamodule import DataModule
from recsys.metric.funnel import Target, targets
from recsys.schema import Label

ByLabel = dict[str, Tensor]
"""{label: [N] float64} of the rows of the test."""


class Rivals:
    """Everyone whom a ranker is held against; each baseline is fitted anew without and with bias columns.

    Args:
        baselines: {name: baseline}.
        oracle: the truth of the test; None where it is not known.
        labels: those to predict, each after the one it is given.
    """

    def __init__(self, baselines: Mapping[str, ImpressionBaseline], *, oracle: Truth | None, data: DataModule, labels: Sequence[Label]):
        self.baselines = baselines
        self.oracle = oracle
        if baselines:
            self.training, self.test = data.feature_table("train"), data.feature_table("test")
            actual = data.labels("train")
            self.targets = {target.name: target for target in targets(labels, actual, actual) if target.name in actual}

    def served(self) -> dict[str, ByLabel]:
        """{"baseline/<name>" or "oracle": predictions} of those who know what a served graph knows."""
        predicted = self._fitted(self.training.served(), self.test.served()) if self.baselines else {}
        return predicted if self.oracle is None else {**predicted, "oracle": self.oracle.probability}

    def with_bias(self) -> dict[str, ByLabel]:
        """The same of those who know bias columns too."""
        predicted = self._fitted(self.training, self.test) if self.baselines else {}
        return predicted if self.oracle is None else {**predicted, "oracle": self.oracle.with_bias}

    def _fitted(self, training: FeatureTable, test: FeatureTable) -> dict[str, ByLabel]:
        return {
            f"baseline/{name}": {label: _predicted(baseline, target, training, test) for label, target in self.targets.items()}
            for name, baseline in self.baselines.items()
        }


def _predicted(baseline: ImpressionBaseline, target: Target, training: FeatureTable, test: FeatureTable) -> Tensor:
    """[N] float64 of the test, learnt from the training rows that a label concerns; zeros where it concerns none."""
    rows = target.rows.numpy()
    if not rows.any():
        return torch.zeros(len(test.categories), dtype=torch.float64)
    baseline.fit(training.rows(rows), target.actual.numpy()[rows], binary=target.binary)
    return torch.from_numpy(np.asarray(baseline.predict(test), dtype=np.float64))
