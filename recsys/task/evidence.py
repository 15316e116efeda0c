"""Files of a test for reports, whatever the task is: identity of the data, tables, and names of items."""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import torch

from recsys.data.read.facts import data_facts
from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.disk import write_whole
from recsys.errors import RecsysError
from recsys.schema.vocabulary import canonical
from recsys.source.base import Source

BLOCK = 100_000
"""Rows that are hashed at once."""
TITLES = ("title", "name", "product_name", "item_name", "product_title", "headline", "description", "label")
"""Columns of text that say what an item is, the best first; in any case of letters."""
KINDS = 3
"""Columns that say of what kind an item is."""


def described_data(store: Store, name: str, *, rows: bool) -> dict:
    """Content of data.json: facts of the data set, and a hash of the test's rows in their order.

    Args:
        name: of the data config.
        rows: every row is a question of the test, rather than the positives of every user.
    """
    columns = [store.schema.user, store.schema.item]
    test_rows = (store.split == SPLITS["test"]).nonzero().squeeze(1) if rows else store.event_row[store.event_split == SPLITS["test"]]
    ids = {"user": (store.user_ids, store.user), "item": (store.item_ids, store.item)}
    frame = pl.DataFrame(
        [values.gather(index[test_rows].numpy()).alias(noun) for (noun, (values, index)), column in zip(ids.items(), columns) if column]
        + [pl.Series(f"label/{label}", values[test_rows].numpy()) for label, values in store.labels.items() if rows]
    )
    sha256 = hashlib.sha256()
    for part in frame.iter_slices(BLOCK):
        sha256.update(part.write_csv().encode())
    test = {"user": store.schema.user, "rows": len(frame), "items": store.num_items, "sha256": sha256.hexdigest()}
    return {**data_facts(store, name), "test": test}


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a parquet file whole."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_whole(path, buffer.getvalue())


def write_document(document: dict[str, Any], path: Path) -> None:
    """Write a JSON file whole."""
    write_whole(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def item_names(store: Store, source: Source, items: Iterable[int]) -> dict[int, dict[str, Any]]:
    """{entity index: {"id": raw, "title": text or None, "about": values of its first categories}} of these, without item 0."""
    index = sorted({int(item) for item in items} - {0})
    ids = store.item_ids.gather(index).to_list()
    titles = item_titles(store, source, ids)
    kinds = [feature for feature in store.schema.of("item") if feature.has_table and feature.is_stored]
    columns = [kind.column for kind in kinds if kind.column != store.schema.item][:KINDS]
    rows = store.raw_values({column: store.item_features[column][torch.tensor(index, dtype=torch.int64)] for column in columns})
    about = [", ".join(text for value in row.values() for text in _texts(value)) for row in rows] or [""] * len(index)
    return {item: {"id": raw, "title": titles.get(raw), "about": text} for item, raw, text in zip(index, ids, about)}


def item_titles(store: Store, source: Source, ids: list) -> dict[Any, str]:
    """{raw id: title}, from the first of `TITLES` that the items table has as text; empty where it has none, or cannot be read now."""
    key = store.schema.item
    try:
        frame = source.tables().items
        if frame is None or key is None:
            return {}
        columns = dict(frame.collect_schema())
        texts = {column.lower(): column for column, dtype in columns.items() if dtype == pl.String and column != key}
        title = next((texts[name] for name in TITLES if name in texts), None)
        if title is None:
            return {}
        wanted = pl.col(key).cast(pl.String).is_in([str(value) for value in ids])
        table = frame.filter(wanted).select(key, title).collect()
        return {raw: text for raw, text in zip(canonical(table[key]).to_list(), table[title].to_list()) if text is not None}
    except (pl.exceptions.PolarsError, OSError, RecsysError):
        return {}  # the run has read its data long ago: that files are gone since costs titles, and no results


def _texts(value: Any) -> list[str]:
    return [str(entry) for entry in (value if isinstance(value, list) else [value]) if entry is not None]
