"""The arrays, vocabularies and statistics of features. N rows, n entities."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from recsys.data.split import TRAIN
from recsys.data.store import file_name
from recsys.data.store.interactions import Entities, KeyColumns, Spool, first_rows
from recsys.schema import Entity, Feature, Schema, Statistics


@dataclass(frozen=True)
class FeatureFiles:
    """Writes one feature after the other into the folder of a store; `rows` are key columns in file order."""

    folder: Path
    schema: Schema
    rows: KeyColumns
    spool: Spool

    def entity(self, entity: Entity, entities: Entities, codes: np.ndarray) -> dict[str, Statistics]:
        """Write [n + 1] arrays of a user's or item's features, row 0 zero; counts are training rows, of an id positive training rows.

        Args:
            codes: [N] int32 entity index of the rows.
        """
        train = self.rows.split == TRAIN
        size = len(entities.ids) + 1
        seen = np.bincount(codes[train], minlength=size)[1:]
        chosen = np.bincount(codes[train & self.rows.positive], minlength=size)[1:]
        described_by = first_rows(codes, self.rows.time, size - 1) if entities.table is None else codes[:0]
        statistics = {}
        for feature in self.schema.stored(entity):
            weight = chosen if feature.column == entities.key else seen
            if feature.column == entities.key:
                values = entities.ids
            elif entities.table is not None:
                values = entities.table[feature.column]
            else:
                values = self.spool.column(feature.column).gather(described_by)
            statistics[feature.column] = self._write(f"{entity}_features", feature, values, values, weight, _with_padding)
        return statistics

    def context(self, order: np.ndarray) -> dict[str, Statistics]:
        """Write [N] arrays of the rows' own features, fitted on training rows; `order` [N] int64: rows of the store in file order."""
        train = pl.Series(self.rows.split == TRAIN)
        statistics = {}
        for feature in (*self.schema.stored("context"), *self.schema.stored("bias")):
            values = self.spool.column(feature.column)
            written = self._write("context_features", feature, values, values.filter(train), None, lambda array: array[order])
            statistics[feature.column] = written
        return statistics

    def labels(self, order: np.ndarray) -> dict[str, Statistics]:
        """Write the labels, [N] float32, NaN where missing; mean and deviation of regressions, of training rows that concern them."""
        train, written, statistics = self.rows.split == TRAIN, {}, {}
        for label in self.schema.labels:
            values = written[label.column] = self.spool.column(label.column).cast(pl.Float32).fill_null(float("nan")).to_numpy()
            self._save("labels", label.column, values[order])
            if label.kind == "regression":
                known = train & ~np.isnan(values) & (True if label.given is None else written[label.given] == 1)
                counted = values[known].astype(np.float64) if known.any() else np.zeros(1)
                statistics[label.column] = Statistics("float32", mean=float(counted.mean()), std=float(counted.std()) or 1.0)
        return statistics

    def _write(
        self,
        group: str,
        feature: Feature,
        values: pl.Series,
        training: pl.Series,
        weight: np.ndarray | None,
        arrange: Callable[[np.ndarray], np.ndarray],
    ) -> Statistics:
        statistics, vocabulary = feature.fit(training, weight)
        array = feature.encode(values, vocabulary=vocabulary, time_unit=self.schema.time_unit)
        self._save(group, feature.column, arrange(array))
        if vocabulary is None:
            return statistics
        (self.folder / "vocabulary").mkdir(exist_ok=True)
        sha256 = vocabulary.save(self.folder / "vocabulary" / file_name(feature.column, ".parquet"))
        return replace(statistics, vocabulary_sha256=sha256)

    def _save(self, group: str, column: str, array: np.ndarray) -> None:
        (self.folder / group).mkdir(exist_ok=True)
        np.save(self.folder / group / file_name(column), array)


def _with_padding(array: np.ndarray) -> np.ndarray:
    """[n + 1, ...]: a row of zeros before the first."""
    return np.concatenate([np.zeros_like(array[:1]), array])
