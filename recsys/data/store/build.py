"""Build the files of a store from validated tables, one column at a time. N rows, n entities.

Ids become int32 codes first and rows are ordered once, by (user, split, time, file order); every column is then read, encoded, put in
that order, written and freed before the next one is touched.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recsys.data.check.split_faults import check_parts, check_rows, vocabulary_notes
from recsys.data.split import NAMES, TRAIN, Assignment, Split, SplitRows
from recsys.data.store import file_name
from recsys.data.store.interactions import Entities, KeyColumns, Spool, event_arrays, first_rows, history_stops, stable_order
from recsys.data.store.raw_categories import write_raw_categories
from recsys.errors import count_text
from recsys.schema import Entity, Feature, Schema, Statistics
from recsys.schema.kind.timestamp import microseconds
from recsys.source.base import Tables

OF_A_ROW: tuple[Entity, ...] = ("context", "bias")
"""Entities whose features stand in the rows of the interactions."""


@dataclass
class _Lap:
    """Seconds of each step, one after another."""

    seconds: dict[str, float]
    started: float

    def end(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(now - self.started, 3)
        self.started = now


def build(tables: Tables, schema: Schema, split: Split, *, folder: Path, max_unknown_share: float) -> dict[str, Any]:
    """Write every file of a store but its manifest into an empty folder; a DataError says what validation could not see before the split.

    Returns:
        Part of the manifest: columns of each group, counts of rows, users, items and parts, boundaries, notes, and seconds of each step.
    """
    lap = _Lap({}, time.perf_counter())
    spool = Spool.write(tables.interactions, _read_columns(tables, schema, split), folder / "interactions.arrow")
    entities: dict[Entity, Entities] = {
        "user": _entities(spool, schema.user, tables.users, _columns(schema, "user")),
        "item": _entities(spool, schema.item, tables.items, _columns(schema, "item")),
    }
    for entity, numbered in entities.items():
        numbered.save(folder / f"{entity}_ids.parquet")
    lap.end("read")
    in_file, assignment = _key_columns(spool, schema, split, entities)
    sessions = None if schema.session is None else spool.column(schema.session).rank("dense").cast(pl.Int32).to_numpy()
    notes = [] if assignment.leaks is None else [assignment.leaks]
    notes += check_rows(in_file, schema, entities["user"].ids, max_unknown_share=max_unknown_share)
    lap.end("split")
    order = stable_order(in_file.user.astype(np.int64) * len(NAMES) + in_file.split, in_file.time)  # [N] the rows of a store, in file order
    _write_keys(folder, in_file.in_order(order), entities)
    np.save(folder / file_name("session"), (in_file.user if sessions is None else sessions)[order])
    lap.end("sort")
    files = FeatureFiles(folder, schema, in_file, spool)
    statistics = files.entity("user", entities["user"], in_file.user) | files.entity("item", entities["item"], in_file.item)
    statistics |= files.context(order)
    of_features = {feature.column: statistics[schema.table(feature.column)] for feature in schema.features}
    fitted = schema.fitted(of_features | files.labels(order))
    fitted.save(folder / "schema.json")
    lap.end("columns")
    write_raw_categories(folder, schema, spool=spool, entities=entities, rows=in_file, order=order)
    spool.path.unlink()
    lap.end("raw categories")
    counts = _counts(in_file, entities)
    return {
        "user_features": _columns(schema, "user"),
        "item_features": _columns(schema, "item"),
        "context_features": _columns(schema, *OF_A_ROW),
        "labels": [label.column for label in schema.labels],
        "counts": counts,
        "boundaries": assignment.boundaries,
        "notes": [_summary(counts), *notes, *vocabulary_notes(fitted)],
        "seconds": lap.seconds,
    }


def _entities(spool: Spool, key: str | None, table: pl.LazyFrame | None, columns: list[str]) -> Entities:
    return Entities(None, pl.Series([0]), None) if key is None else Entities.number(key, spool.column(key), table, columns)


def _codes(spool: Spool, entities: Entities, num_rows: int) -> np.ndarray:
    return np.ones(num_rows, dtype=np.int32) if entities.key is None else entities.codes(spool.column(entities.key))


def _columns(schema: Schema, *entities: Entity) -> list[str]:
    """Columns that the features of these entities are read from."""
    return [feature.column for entity in entities for feature in schema.raw_features(entity)]


def _read_columns(tables: Tables, schema: Schema, split: Split) -> Iterator[str]:
    """Columns to read from the interactions; features of a missing users or items table are among them."""
    yield from (column for column in (schema.user, schema.item, schema.time, schema.session, split.column) if column is not None)
    yield from (label.column for label in schema.labels)
    yield from _columns(schema, *OF_A_ROW)
    yield from _columns(schema, "user") if tables.users is None else ()
    yield from _columns(schema, "item") if tables.items is None else ()


def _key_columns(spool: Spool, schema: Schema, split: Split, entities: dict[Entity, Entities]) -> tuple[KeyColumns, Assignment]:
    """The keys of the rows in file order, and their split; a DataError where they cannot be split this way."""
    user, item = (_codes(spool, entities[entity], spool.num_rows) for entity in ("user", "item"))
    moment = None if schema.time is None else microseconds(spool.column(schema.time), schema.time_unit)
    positive = np.ones(len(user), dtype=bool)
    if schema.positive is not None:
        positive = (spool.column(schema.positive).cast(pl.Float32) == 1).fill_null(False).to_numpy()
    given = None if split.column is None else spool.column(split.column)
    rows = SplitRows(user, moment, calendar=schema.time_unit != "rank", positive=positive, given=given)
    assignment = split.assign(rows)
    check_parts(assignment, positive, split)
    moment = np.zeros(len(user), dtype=np.int64) if moment is None else moment
    return KeyColumns(user, item, moment, assignment.codes, positive), assignment


def _write_keys(folder: Path, rows: KeyColumns, entities: dict[Entity, Entities]) -> None:
    for name in ("user", "item", "time", "split"):
        np.save(folder / file_name(name), vars(rows)[name])
    np.save(folder / file_name("history_stop"), history_stops(rows))
    num_users, num_items = len(entities["user"].ids), len(entities["item"].ids)
    for name, values in event_arrays(rows, num_users=num_users, num_items=num_items).items():
        np.save(folder / file_name(name), values)


def _counts(rows: KeyColumns, entities: dict[Entity, Entities]) -> dict[str, int]:
    counts = {"rows": len(rows.user), "users": len(entities["user"].ids), "items": len(entities["item"].ids)}
    for code, name in enumerate(NAMES):
        part = rows.split == code
        counts |= {f"{name} rows": int(part.sum()), f"{name} positives": int((part & rows.positive).sum())}
    return counts


def _summary(counts: dict[str, int]) -> str:
    parts = ", ".join(f"{counts[f'{name} rows']:,} {name} ({counts[f'{name} positives']:,} positive)" for name in NAMES)
    rows, users, items = count_text(counts["rows"], "interaction"), count_text(counts["users"], "user"), count_text(counts["items"], "item")
    return f"{rows} of {users} and {items}: {parts}"


@dataclass(frozen=True)
class FeatureFiles:
    """Writes one feature after the other into the folder of a store; `rows` are key columns in file order."""

    folder: Path
    schema: Schema
    rows: KeyColumns
    spool: Spool

    def entity(self, entity: Entity, entities: Entities, codes: np.ndarray) -> dict[str, Statistics]:
        """Write [n + 1] arrays of a user's or item's features, row 0 zero; `codes` [N] int32 are the entity index of the rows.

        Counts are training rows, of an id positive training rows.
        """
        train = self.rows.split == TRAIN
        size = len(entities.ids) + 1
        seen = np.bincount(codes[train], minlength=size)[1:]
        chosen = np.bincount(codes[train & self.rows.positive], minlength=size)[1:]
        described_by = first_rows(codes, self.rows.time, size - 1) if entities.table is None else codes[:0]
        statistics = {}
        for feature in self.schema.raw_features(entity):
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
        for feature in (*self.schema.raw_features("context"), *self.schema.raw_features("bias")):
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
        statistics, vocabulary = feature.fit(training, weight, time_unit=self.schema.time_unit)
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
