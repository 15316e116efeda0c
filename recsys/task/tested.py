"""Who was asked what in a test, as one number: runs can be compared where it is equal."""

import hashlib

import polars as pl

from recsys.data.read.facts import data_facts
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store

DATA = "data.json"
"""File of the run directory."""
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


def _sha256(frame: pl.DataFrame) -> str:
    """Of its rows in their order."""
    found = hashlib.sha256()
    for part in frame.iter_slices(BLOCK):
        found.update(part.write_csv().encode())
    return found.hexdigest()
