"""Golden requests: real rows with the answers of their bundle, so that whoever serves it can see that it still answers so.

golden.parquet has one row per request: `task`, the raw columns under their own names, `exclude`, and the answers as `answer/items` and
`answer/scores` (lists of items) or `answer/<label>` (predictions). A column that belongs to another task is null.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recsys.export.preprocessing import missing
from recsys.schema import Schema
from recsys.serve.manifest import GOLDEN

AT_OPENING = 3
"""Requests of each task that are replayed whenever the bundle is opened."""


def write_golden(folder: Path, frames: list[pl.DataFrame], tolerance: float) -> dict[str, int]:
    """Write the requests of all tasks, and the few that are replayed whenever the bundle is opened; returns their number by task.

    A bundle opens with a largest difference of a score or probability of `tolerance`.
    """
    by_task = {frame["task"][0]: frame.drop("task") for frame in frames if len(frame)}
    few = {task: {"tolerance": tolerance, "requests": frame.head(AT_OPENING).to_dicts()} for task, frame in by_task.items()}
    (folder / GOLDEN).write_text(json.dumps(few, indent=2) + "\n")
    pl.concat(frames, how="diagonal").write_parquet(folder / "golden.parquet")
    return {task: len(frame) for task, frame in by_task.items()}


def columns(raw: dict[str, np.ndarray], schema: Schema) -> dict[str, pl.Series]:
    """Raw arrays as a person would write them: missing values are null, lists have no padding, truth values are true or false."""
    rows = {column: series(values) for column, values in raw.items()}
    flags = [column for column in rows if schema.feature(column).is_category and schema.statistics[column].dtype == "bool"]
    # nothing else than true and false is a request; what is neither counts as missing, which an unknown value does too
    return rows | {column: pl.Series([{0: False, 1: True}.get(value) for value in rows[column]], dtype=pl.Boolean) for column in flags}


def series(values: np.ndarray) -> pl.Series:
    """One raw column, [N] or [N, L]: see `columns`."""
    kind = pl.String if values.dtype == object else pl.Float32 if values.dtype == np.float32 else pl.Int64
    if values.ndim == 1:
        return pl.Series(_values(values.tolist()), dtype=kind)
    rows = [_values(row) for row in values.tolist()]
    for row in rows:
        while row and row[-1] is None:
            row.pop()
    return pl.Series(rows, dtype=pl.List(kind))


def _values(raw: list[Any]) -> list[Any]:
    absent = (missing("string"), missing("int64"))
    return [None if value in absent or value != value else value for value in raw]
