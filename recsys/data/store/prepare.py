"""Prepare a source: find its store again in milliseconds, or validate, split and encode its tables into one that appears whole."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from recsys.config import DataConfig, schema_of
from recsys.config import build as build_node
from recsys.data.check.leaked_labels import FeatureAuc, feature_aucs, leak_faults
from recsys.data.check.validate import validate
from recsys.data.split import Split
from recsys.data.store import FORMAT, MANIFEST, Store, read_manifest
from recsys.data.store.build import build
from recsys.data.store.inputs import changes, content_key, inputs, source_description
from recsys.disk.folders import build_once
from recsys.errors import DataError, Fault, IntegrityError
from recsys.schema import Schema, nearest
from recsys.source.base import Source, Tables


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
        max_feature_auc: as in `leak_faults`; asked of a store that is found again too.
    Raises:
        DataError: the tables break a rule of the schema, or cannot be split as asked, and nothing is published then; or a feature
            tells a label by itself.
        IntegrityError: an input file changed while it was read.
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
            if changed := changes(records):
                raise IntegrityError(*changed)
    faults = leak_faults((FeatureAuc(**entry) for entry in read_manifest(folder / key)["feature_auc"]), max_feature_auc)
    if faults:
        raise DataError(*faults)
    return Store.open(folder / key)


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


def _write_manifest(building: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, then add how well each feature alone tells each label: measured once, compared with the limit by every run."""
    path, started = building / MANIFEST, time.perf_counter()
    manifest["files"] = {str(file.relative_to(building)): file.stat().st_size for file in sorted(building.rglob("*")) if file.is_file()}
    path.write_text(json.dumps(manifest, indent=2) + "\n")
    aucs, notes = feature_aucs(Store.open(building))
    manifest["feature_auc"] = [asdict(entry) for entry in aucs]
    manifest["notes"] += notes
    manifest["seconds"]["feature_auc"] = round(time.perf_counter() - started, 3)
    path.write_text(json.dumps(manifest, indent=2) + "\n")
