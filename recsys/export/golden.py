"""Golden requests: real rows with the answers of the bundle that holds them, so that whoever serves it can see that it still answers so.

golden.parquet has one row per request: `task`, the raw columns under their own names, `exclude`, and the answers as `answer/items` and
`answer/scores` (retrieval) or `answer/<label>` (ranking). A column that belongs to the other task is null.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recsys.export.parity import session
from recsys.export.preprocessing import missing
from recsys.export.requests import Requests, single
from recsys.schema import Schema
from recsys.serve.manifest import GOLDEN

USERS, K = 200, 20
"""Requests of a retriever, and the length of their lists."""
EXCLUDED = 3
"""Of its best items, that every second request excludes."""
ROWS = 1_000
"""Requests of a ranker."""
AT_OPENING = 3
"""Requests of each task that are replayed whenever the bundle is opened."""


def golden_lists(graph: Path, asked: Requests, schema: Schema, id_dtype: str) -> pl.DataFrame:
    """The first users, and the lists that retriever.onnx gives them."""
    users, run = asked.rows(0, USERS), session(graph).run
    number, padding = len(next(iter(users.values()))), missing(id_dtype)
    exclude = np.full((number, EXCLUDED), padding, object if id_dtype == "string" else np.int64)
    k = {"k": np.array([K], np.int64)}
    exclude[1::2] = run(["items"], users | {"exclude": exclude} | k)[0][1::2, :EXCLUDED]
    # one by one, as they are replayed: where products are in int8, an answer depends on the rows that are asked beside it
    rows = (single(users, row) | {"exclude": exclude[row : row + 1]} | k for row in range(number))
    items, scores = (np.concatenate(parts) for parts in zip(*(run(["items", "scores"], row) for row in rows)))
    left = [row[row > -np.inf] for row in scores]
    answers = {
        "exclude": series(exclude),
        "answer/items": pl.Series([row[: len(kept)].tolist() for row, kept in zip(items, left)], dtype=series(exclude).dtype),
        "answer/scores": pl.Series([row.tolist() for row in left], dtype=pl.List(pl.Float32)),
    }
    return pl.DataFrame({"task": ["retrieval"] * number, **columns(users, schema), **answers})


def golden_predictions(graph: Path, asked: Requests, schema: Schema, outputs: tuple[str, ...]) -> pl.DataFrame:
    """The first rows, and what ranker.onnx predicts of them."""
    rows = asked.rows(0, ROWS)
    number, run = len(next(iter(rows.values()))), session(graph).run
    predicted = [np.concatenate(parts) for parts in zip(*(run(list(outputs), single(rows, row)) for row in range(number)))]
    answers = {f"answer/{name}": pl.Series(values.tolist(), dtype=pl.Float32) for name, values in zip(outputs, predicted)}
    return pl.DataFrame({"task": ["ranking"] * number, **columns(rows, schema), **answers})


def write_golden(folder: Path, frames: list[pl.DataFrame], tolerance: float) -> dict[str, int]:
    """Write the requests of all tasks, and the few that are replayed whenever the bundle is opened; returns how many of each task.

    Args:
        tolerance: largest difference of a score or probability with which a bundle opens.
    """
    few = {
        frame["task"][0]: {"tolerance": tolerance, "requests": frame.drop("task").head(AT_OPENING).to_dicts()}
        for frame in frames
        if len(frame)
    }
    (folder / GOLDEN).write_text(json.dumps(few, indent=2) + "\n")
    frame = pl.concat(frames, how="diagonal")
    frame.write_parquet(folder / "golden.parquet")
    return {task: (frame["task"] == task).sum() for task in frame["task"].unique(maintain_order=True)}


def columns(raw: dict[str, np.ndarray], schema: Schema) -> dict[str, pl.Series]:
    """Raw arrays as a person would write them: missing values are null, lists have no padding, truth values are true or false."""
    found = {column: series(values) for column, values in raw.items()}
    flags = [column for column in found if schema.feature(column).is_category and schema.statistics[column].dtype == "bool"]
    # nothing else than true and false is a request; what is neither counts as missing, which an unknown value does too
    return found | {column: pl.Series([{0: False, 1: True}.get(value) for value in found[column]], dtype=pl.Boolean) for column in flags}


def series(values: np.ndarray) -> pl.Series:
    """One raw column, [N] or [N, L]: see `columns`."""
    kind = {object: pl.String, np.float32: pl.Float32}.get(values.dtype.type if values.dtype != object else object, pl.Int64)
    if values.ndim == 1:
        return pl.Series([_value(value) for value in values.tolist()], dtype=kind)
    return pl.Series([_unpadded(row) for row in values.tolist()], dtype=pl.List(kind))


def _unpadded(row: list[Any]) -> list[Any]:
    entries = [_value(entry) for entry in row]
    while entries and entries[-1] is None:
        entries.pop()
    return entries


def _value(value: Any) -> Any:
    absent = value == missing("string") or value == missing("int64") or value != value
    return None if absent else value
