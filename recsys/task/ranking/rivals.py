"""Predictions of baselines and of the truth for the impressions of the test, as served and with bias columns known. N rows."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from recsys.baseline.base import FeatureTable, ImpressionBaseline, LabelledTable
from recsys.batch import Truth
from recsys.data.read.datamodule import DataModule
from recsys.metric.funnel import Target, targets
from recsys.schema import Label

ByLabel: TypeAlias = dict[str, Tensor]
"""{label: [N] float64} of the rows of the test."""
Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


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
        self.notes: list[str] = []
        if baselines:
            self.tables = {split: data.feature_table(split) for split in SPLITS}
            self.targets = {split: _of_labels(labels, data.labels(split)) for split in SPLITS[:2]}

    def served(self) -> dict[str, ByLabel]:
        """{"baseline/<name>" or "oracle": predictions} of those who know what a served graph knows."""
        predicted = self._fitted({split: table.served() for split, table in self.tables.items()}) if self.baselines else {}
        return predicted if self.oracle is None else {**predicted, "oracle": self.oracle.probability}

    def with_bias(self) -> dict[str, ByLabel]:
        """The same of those who know bias columns too."""
        predicted = self._fitted(self.tables) if self.baselines else {}
        return predicted if self.oracle is None else {**predicted, "oracle": self.oracle.with_bias}

    def _fitted(self, tables: Mapping[Split, FeatureTable]) -> dict[str, ByLabel]:
        """{"baseline/<name>": predictions of the test}, learnt from the training rows that a label concerns; 0 where there are none."""
        predicted: dict[str, ByLabel] = {}
        self.notes = []
        for name, baseline in self.baselines.items():
            of_labels = predicted[f"baseline/{name}"] = {}
            for label, target in self.targets["train"].items():
                training, validation = (_concerned(tables[split], self.targets[split][label]) for split in SPLITS[:2])
                if not len(training.label):
                    of_labels[label] = torch.zeros(len(tables["test"].categories), dtype=torch.float64)
                    continue
                baseline.fit(training, validation, binary=target.binary)
                of_labels[label] = torch.from_numpy(np.asarray(baseline.predict(tables["test"]), dtype=np.float64))
                self.notes += [f"baseline {name} of {label}: {baseline.note}"] if baseline.note else []
        return predicted


def _of_labels(labels: Sequence[Label], actual: Mapping[str, Tensor]) -> dict[str, Target]:
    """Labels without their funnels, on the rows of a split that they concern."""
    return {target.name: target for target in targets(labels, actual, actual) if target.name in actual}


def _concerned(table: FeatureTable, target: Target) -> LabelledTable:
    rows = target.rows.numpy()
    return LabelledTable(table.rows(rows), target.actual.numpy()[rows])
