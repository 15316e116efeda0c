"""What a test leaves in a run directory whatever the task is: which rows were asked about, as one number, and tables written whole."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import polars as pl

from recsys.data.read.facts import data_facts
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.disk import write_whole

BLOCK = 100_000
"""Rows that are hashed at once."""


def described_data(store: Store, name: str, *, rows: bool) -> dict:
    """What data.json holds: the facts of the data set, and of its test.

    Args:
        name: of the data config.
        rows: every row is asked about, rather than the positives of every user.
    """
    columns = [store.schema.user, store.schema.item]
    asked = (store.split == SPLITS["test"]).nonzero().squeeze(1) if rows else store.event_row[store.event_split == SPLITS["test"]]
    ids = {"user": (store.user_ids, store.user), "item": (store.item_ids, store.item)}
    frame = pl.DataFrame(
        [values.gather(index[asked].numpy()).alias(noun) for (noun, (values, index)), column in zip(ids.items(), columns) if column]
        + [pl.Series(f"label/{label}", values[asked].numpy()) for label, values in store.labels.items() if rows]
    )
    test = {"user": store.schema.user, "rows": len(frame), "items": store.num_items, "sha256": _sha256(frame)}
    return {**data_facts(store, name), "test": test}


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a parquet file whole."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_whole(path, buffer.getvalue())


def write_document(document: dict[str, Any], path: Path) -> None:
    """Write a JSON file whole."""
    write_whole(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _sha256(frame: pl.DataFrame) -> str:
    """Of its rows in their order."""
    found = hashlib.sha256()
    for part in frame.iter_slices(BLOCK):
        found.update(part.write_csv().encode())
    return found.hexdigest()
