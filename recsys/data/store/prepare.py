"""Prepare a source: find its store again in milliseconds, or validate, split and encode its tables into one that appears whole."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from recsys.config import DataConfig, schema_of
from recsys.config import build as build_node
from recsys.data.check.leaked_labels import FeatureAuc, feature_aucs, leak_faults
from recsys.data.check.validate import validate
from recsys.data.split import Split
from recsys.data.store import FORMAT, MANIFEST, Store, read_manifest, remove_remedy
from recsys.data.store.build import build
from recsys.disk.folders import build_once
from recsys.disk.records import reading
from recsys.disk.sums import write_sums
from recsys.errors import DataError, Fault, IntegrityError
from recsys.schema import Schema, nearest
from recsys.source.base import Source, Tables

WHOLE_BYTES = 200_000_000
"""Up to this total size, files are hashed whole (0.2 s); beyond, their first and last block, size and time of change stand for them."""
BLOCK_BYTES = 4 << 20
KEY_LENGTH = 16


def store_of(data: DataConfig, source: Source) -> Store:
    """The data of a run, prepared now unless it already is; see `prepare`."""
    return prepare(
        source,
        schema_of(data),
        build_node(data.split),
        folder=data.store,
        bad_rows=data.bad_rows,
        max_unknown_share=data.max_unknown_share,
        max_feature_auc=data.max_feature_auc,
    )


def prepare(
    source: Source,
    schema: Schema,
    split: Split,
    *,
    folder: Path,
    bad_rows: Literal["fail", "quarantine"],
    max_unknown_share: float,
    max_feature_auc: float,
) -> Store:
    """The store of this source under this schema and split, prepared now unless it already is.

    A store is `<folder>/<key>`, its key a hash of the input files and of everything that changes what is prepared.

    Args:
        schema: not fitted.
        folder: where stores are kept; created if absent. Rows set aside go to `<key>.quarantine` in it.
        bad_rows, max_unknown_share: as in `validate`.
        max_feature_auc: as in `leak_faults`; it holds for a store that is found again, too.
    Raises:
        DataError: the tables break a rule of the schema, or cannot be split this way, and nothing is published then; or a feature
            tells a label by itself.
        IntegrityError: an input file changed while it was read, or the store that stands there is damaged.
    """
    _check_order(schema)
    origin = source_description(source)
    tables = source.tables()
    read = inputs(tables)
    key = content_key(read, FORMAT, origin, schema, split, bad_rows)
    folder = Path(folder)
    with build_once(folder / key) as building:
        if building is not None:
            started, aside = time.perf_counter(), folder / f"{key}.quarantine"
            checked = validate(tables, schema, bad_rows=bad_rows, quarantine=aside, max_unknown_share=max_unknown_share)
            seconds = {"validate": round(time.perf_counter() - started, 3)}
            _check_split_column(checked.tables, split)
            built = build(checked.tables, schema, split, folder=building, max_unknown_share=max_unknown_share)
            built["notes"] = [*tables.notes, *checked.notes, *built["notes"]]
            built["seconds"] = seconds | built["seconds"]
            records = [asdict(entry) for entry in read]
            versions = {"numpy": np.__version__, "polars": pl.__version__}
            _write_manifest(building, {"format": FORMAT, "key": key, "versions": versions, "inputs": records, **built})
            write_sums(building)
            if changed := changes(records):
                raise IntegrityError(*changed)
    store = Store.open(folder / key)
    faults = leak_faults((FeatureAuc(**entry) for entry in read_manifest(folder / key)["feature_auc"]), max_feature_auc)
    if faults:
        raise DataError(*faults)
    return store


def _check_order(schema: Schema) -> None:
    histories = [feature.column for feature in schema.features if not feature.is_stored]
    if histories and schema.time is None:
        what = f"{', '.join(histories)}: a history needs the order of a user's rows, and data.time is null"
        raise DataError(Fault(what, "data.features, data.time", "name a time column; with time_unit: rank order alone is enough"))


def _check_split_column(tables: Tables, split: Split) -> None:
    columns = tables.interactions.collect_schema().names()
    if split.column is not None and split.column not in columns:
        what = f"no column '{split.column}'{nearest(split.column, columns)}"
        raise DataError(Fault(what, "table interactions; needed by data.split.column", "name the column that says train, val or test"))


def check_sources(store: Store) -> None:
    """IntegrityError that names every input file of a store which is gone or no longer what was prepared."""
    with reading(store.path / MANIFEST, remove_remedy(store.path)):
        changed = changes(read_manifest(store.path)["inputs"])
    if changed:
        raise IntegrityError(*changed)


def _write_manifest(building: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, then add how well each feature alone tells each label: measured once, compared with the limit by every run."""
    path, started = building / MANIFEST, time.perf_counter()
    path.write_text(json.dumps(manifest, indent=2) + "\n")
    aucs, notes = feature_aucs(Store.of_folder(building))
    manifest["feature_auc"] = [asdict(entry) for entry in aucs]
    manifest["notes"] += notes
    manifest["seconds"]["feature_auc"] = round(time.perf_counter() - started, 3)
    path.write_text(json.dumps(manifest, indent=2) + "\n")


@dataclass(frozen=True)
class Input:
    """One input file of a table as it was read."""

    table: str
    path: str  # absolute, since a run may be exported from another folder than it was trained in
    size: int  # bytes
    mtime_ns: int  # time of the last change, nanoseconds since 1970 UTC
    sha256: str  # of the `whole` file, or else of its first and last block
    whole: bool

    @property
    def content(self) -> tuple:
        """Facts that decide whether the file is the same: not its folder, and its time of change only where it was not read whole."""
        return self.table, Path(self.path).name, self.size, self.sha256, None if self.whole else self.mtime_ns


def inputs(tables: Tables) -> tuple[Input, ...]:
    """Files behind the tables, in row order; tables without files count by the hash of their content."""
    if not tables.files:
        frames = {"interactions": tables.interactions, "users": tables.users, "items": tables.items}
        return tuple(_in_memory(name, frame) for name, frame in frames.items() if frame is not None)
    files = [(table, Path(path)) for table, paths in tables.files.items() for path in paths]
    with reading(files[0][1].parent, "put the file back, or name others in data.source"):
        whole = sum(path.stat().st_size for _, path in files) <= WHOLE_BYTES
    return tuple(_input(table, path, whole) for table, path in files)


def content_key(read: tuple[Input, ...], *settings: object) -> str:
    """Name of the store: a hash of the files' content and of all settings that change what is prepared, each as its repr (no addresses)."""
    document = json.dumps([[entry.content for entry in read], *map(repr, settings)])
    return hashlib.sha256(document.encode()).hexdigest()[:KEY_LENGTH]


def source_description(source: Source) -> tuple:
    """A source as (class, arguments), for the key."""
    return type(source).__qualname__, sorted(vars(source).items())


def changes(recorded: list[dict]) -> list[Fault]:
    """One fault per input file of the manifest that is not what it was when it was read."""
    faults = []
    for entry in (Input(**record) for record in recorded):
        path = Path(entry.path)
        if not entry.path:
            continue  # a table in memory left nothing to compare with
        now = _input(entry.table, path, entry.whole) if path.exists() else None
        if now is None or now.content != entry.content:
            what = "is gone" if now is None else f"has changed: {_difference(entry, now)}"
            remedy = "put the file back, or train again on the new one"
            faults.append(Fault(f"input file {what} since the data was prepared", entry.path, remedy))
    return faults


def _difference(before: Input, now: Input) -> str:
    if before.size != now.size:
        return f"{before.size:,} bytes then, {now.size:,} now"
    if before.sha256 != now.sha256:
        return f"sha256 {before.sha256[:12]} then, {now.sha256[:12]} now"
    return "written again, same size"


def _input(table: str, path: Path, whole: bool) -> Input:
    with reading(path, "put the file back, or name others in data.source"), path.open("rb") as file:
        stat = path.stat()
        if whole:
            digest = hashlib.file_digest(file, "sha256")
        else:
            digest = hashlib.sha256(file.read(BLOCK_BYTES))
            file.seek(max(stat.st_size - BLOCK_BYTES, 0))
            digest.update(file.read())
    return Input(table, str(path.absolute()), stat.st_size, stat.st_mtime_ns, digest.hexdigest(), whole)


def _in_memory(table: str, frame: pl.LazyFrame) -> Input:
    content = frame.collect().write_ipc(None).getvalue()
    return Input(table, "", len(content), 0, hashlib.sha256(content).hexdigest(), True)
