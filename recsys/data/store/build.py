"""Validated tables to the files of a store, one column at a time. N rows, n entities.

Ids become int32 codes first and rows are ordered once, by (user, split, time, file order); every column is then read, encoded, put in
that order, written and freed before the next one is touched.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recsys.data.check.findings import Findings
from recsys.data.check.split_faults import dominant_note, duplicate_findings, unknown_findings, vocabulary_notes
from recsys.data.split import NAMES, TRAIN, Assignment, Split, SplitRows, check_parts
from recsys.data.store import file_name
from recsys.data.store.columns import microseconds
from recsys.data.store.entities import Entities
from recsys.data.store.events import KeyColumns, event_arrays, history_stops
from recsys.data.store.feature_files import FeatureFiles
from recsys.data.store.ranking import stable_order
from recsys.data.store.raw_categories import write_raw_categories
from recsys.data.store.spool import Spool
from recsys.errors import DataError
from recsys.schema import Entity, History, Schema
from recsys.source.base import Tables


@dataclass(frozen=True)
class Built:
    """What the manifest says of a store beside its inputs.

    Attributes:
        columns: {"user_features" | "item_features" | "context_features" | "labels": columns kept}.
        counts: rows, users, items, and rows and positive rows of each part.
        boundaries: as in Store.
        notes: sentences for the reader.
        seconds: {step: duration}.
    """

    columns: dict[str, list[str]]
    counts: dict[str, int]
    boundaries: dict[str, int] | None
    notes: tuple[str, ...]
    seconds: dict[str, float]


@dataclass
class _Lap:
    seconds: dict[str, float]
    started: float

    def end(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(now - self.started, 3)
        self.started = now


def build(tables: Tables, schema: Schema, split: Split, *, folder: Path, max_unknown_share: float) -> Built:
    """Write every file of a store but its manifest; a DataError names what validation could not see before rows were split.

    Args:
        folder: exists and is empty.
        max_unknown_share: as in `unknown_findings`.
    """
    lap = _Lap({}, time.perf_counter())
    spool, entities = spooled(tables, schema, split, folder / "interactions.arrow")
    for entity, numbered in entities.items():
        numbered.save(folder / f"{entity}_ids.parquet")
    lap.end("read")
    in_file, assignment = key_columns(spool, schema, split, entities)
    sessions = None if schema.session is None else spool.column(schema.session).rank("dense").cast(pl.Int32).to_numpy()
    notes = [*([assignment.leaks] if assignment.leaks else []), *_checked(in_file, schema, entities, max_unknown_share)]
    lap.end("split")
    order = row_order(in_file)
    _write_keys(folder, in_file.ordered(order), entities)
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
    notes = [_summary(counts), *notes, *vocabulary_notes(fitted)]
    columns = {"user_features": own_columns(schema, "user"), "item_features": own_columns(schema, "item")}
    columns["context_features"] = _row_columns(schema)
    columns["labels"] = [label.column for label in schema.labels]
    return Built(columns, counts, assignment.boundaries, tuple(notes), lap.seconds)


def spooled(tables: Tables, schema: Schema, split: Split, path: Path) -> tuple[Spool, dict[Entity, Entities]]:
    """The interactions as a file at `path`, and the numbered users and items."""
    spool = Spool.write(tables.interactions, _columns(tables, schema, split), path)
    return spool, {
        "user": _entities(spool, schema.user, tables.users, own_columns(schema, "user")),
        "item": _entities(spool, schema.item, tables.items, own_columns(schema, "item")),
    }


def _entities(spool: Spool, key: str | None, table: pl.LazyFrame | None, columns: list[str]) -> Entities:
    return Entities.one() if key is None else Entities.number(key, spool.column(key), table, columns)


def _codes(spool: Spool, entities: Entities, num_rows: int) -> np.ndarray:
    return np.ones(num_rows, dtype=np.int32) if entities.key is None else entities.codes(spool.column(entities.key))


def own_columns(schema: Schema, entity: Entity) -> list[str]:
    """Columns that an entity's features are read from."""
    return [feature.column for feature in schema.of(entity) if not isinstance(feature, History)]


def _row_columns(schema: Schema) -> list[str]:
    return [*own_columns(schema, "context"), *own_columns(schema, "bias")]


def _columns(tables: Tables, schema: Schema, split: Split) -> Iterator[str]:
    """Columns to read from the interactions; features of a missing users or items table are among them."""
    yield from (column for column in (schema.user, schema.item, schema.time, schema.session, split.column) if column is not None)
    yield from (label.column for label in schema.labels)
    yield from _row_columns(schema)
    for entity, table in (("user", tables.users), ("item", tables.items)):
        yield from own_columns(schema, entity) if table is None else ()


def key_columns(spool: Spool, schema: Schema, split: Split, entities: dict[Entity, Entities]) -> tuple[KeyColumns, Assignment]:
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


def row_order(in_file: KeyColumns) -> np.ndarray:
    """[N] int64: the rows of a store, in file order."""
    return stable_order(in_file.user.astype(np.int64) * len(NAMES) + in_file.split, in_file.time)


def _checked(rows: KeyColumns, schema: Schema, entities: dict[Entity, Entities], max_unknown_share: float) -> list[str]:
    """Notes on the rows as split; all faults at once as a DataError."""
    findings = [
        unknown_findings(entities[entity].key, _unknown(codes, rows.split), max_unknown_share)
        for entity, codes in (("user", rows.user), ("item", rows.item))
        if entities[entity].key is not None
    ]
    if None not in (schema.user, schema.item, schema.time):
        findings.append(duplicate_findings(rows.user, rows.item, rows.time, rows.split))
    if schema.user is not None:
        ids = pl.concat([pl.Series([None], dtype=entities["user"].ids.dtype), entities["user"].ids])
        dominant = dominant_note(np.bincount(rows.user), ids, schema.user)
        findings.append(Findings(notes=(dominant,) if dominant else ()))
    faults = [fault for finding in findings for fault in finding.faults]
    if faults:
        raise DataError(*faults)
    return [note for finding in findings for note in finding.notes]


def _unknown(codes: np.ndarray, split: np.ndarray) -> dict[str, tuple[int, int]]:
    """{part: (rows whose entity no training row has, all rows)}."""
    unseen = np.ones(int(codes.max()) + 1, dtype=bool)
    unseen[codes[split == TRAIN]] = False
    parts = {name: unseen[codes[split == code]] for code, name in enumerate(NAMES) if code != TRAIN}
    return {name: (int(unknown.sum()), len(unknown)) for name, unknown in parts.items()}


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
    return f"{counts['rows']:,} interactions of {counts['users']:,} users and {counts['items']:,} items: {parts}"
