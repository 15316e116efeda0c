"""Categories as the source has them, of the users, items and rows that two bundles are compared on. N rows, n entities.

A store keeps of a category what its own model reads: an index in the vocabulary of its training rows, or a bucket; of a list, no more
entries than that model is long. Another model knows other values and reads other lengths, so both are tested with the source's own.
They are set aside while the store is built, and copied into the run directory at test; an export reads them there, without the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.data.split import TEST
from recsys.data.store import GONE, Store
from recsys.data.store.interactions import Entities, KeyColumns, Spool, first_rows
from recsys.disk import write_whole
from recsys.disk.records import reading
from recsys.errors import Fault, IntegrityError
from recsys.schema import Entity, Schema

RAW_CATEGORIES = "raw_categories.parquet"
"""File of a store, and of a run directory: one row for each user, item and test row, with the columns that describe it."""
MOST_ENTITIES, MOST_ROWS = 5_000, 50_000
"""Test users, and items, and test rows, that bundles are compared on: spread evenly where there are more."""
ENTITY, INDEX = "__entity", "__index"
"""Columns of the file: "user", "item" or "context", and the entity index or the row of the store."""


def spread(number: int, most: int) -> Tensor:
    """[min(number, most)] int64: numbers from 0 to `number` - 1, at equal distances where not all of them are wanted.

    Example:
        >>> spread(3, 5).tolist(), spread(100, 5).tolist()
        ([0, 1, 2], [0, 24, 49, 74, 99])
    """
    return torch.arange(number) if number <= most else torch.linspace(0, number - 1, most, dtype=torch.float64).long()


def write_raw_categories(
    folder: Path, schema: Schema, *, spool: Spool, entities: Mapping[Entity, Entities], rows: KeyColumns, order: np.ndarray
) -> None:
    """Write the file of a store; of each entity and row what an export may ask of it, and of ids nothing, which a store has whole.

    `rows` are in file order, `order` [N] int64 are the rows of the store.
    """
    test = np.flatnonzero(rows.split[order] == TEST)
    test = test[spread(len(test), MOST_ROWS).numpy()]
    users = np.unique(rows.user[(rows.split == TEST) & rows.positive])  # of a retrieval run's test
    users = users[spread(len(users), MOST_ENTITIES).numpy()]
    num_items = len(entities["item"].ids)
    in_histories = any(not feature.is_stored and feature.table != schema.item for feature in schema.features)
    items = np.arange(1, num_items + 1) if in_histories else 1 + spread(num_items, MOST_ENTITIES).numpy()
    parts = [
        _of_entities("user", np.union1d(users, rows.user[order[test]]), rows.user, entities["user"], schema, spool, rows.time),
        _of_entities("item", np.union1d(items, rows.item[order[test]]), rows.item, entities["item"], schema, spool, rows.time),
        _part("context", test, {column: spool.column(column).gather(order[test]) for column in _categories(schema, "context")}),
    ]
    pl.concat(parts, how="diagonal").write_parquet(folder / RAW_CATEGORIES)


def _of_entities(
    entity: Entity, index: np.ndarray, codes: np.ndarray, numbered: Entities, schema: Schema, spool: Spool, time: np.ndarray
) -> pl.DataFrame:
    """Users or items of these indices; without a table of their own, their earliest row describes them."""
    columns = [column for column in _categories(schema, entity) if column != numbered.key]
    if numbered.table is not None:
        return _part(entity, index, {column: numbered.table[column].gather(index - 1) for column in columns})
    among = np.flatnonzero(np.isin(codes, index))
    first = among[first_rows(codes[among], time[among], len(numbered.ids))[index - 1]] if columns else index
    return _part(entity, index, {column: spool.column(column).gather(first) for column in columns})


def _categories(schema: Schema, *entities: Entity) -> list[str]:
    return [feature.column for feature in schema.raw_features(*entities) if feature.has_table]


def _part(entity: Entity, index: np.ndarray, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    return pl.DataFrame({ENTITY: [entity] * len(index), INDEX: index.astype(np.int64), **columns})


def copy_raw_categories(store: Store, run: Path) -> None:
    """Write a store's raw categories into a run directory, whole or not at all."""
    with reading(store.path / RAW_CATEGORIES, GONE):
        content = (store.path / RAW_CATEGORIES).read_bytes()
    write_whole(run / RAW_CATEGORIES, content)


@dataclass(frozen=True)
class RawCategories:
    """Raw categories that a run directory keeps: the rows of the file at `path`."""

    store: Store
    path: Path
    table: pl.DataFrame

    @classmethod
    def read(cls, run: Path, store: Store) -> "RawCategories":
        """Read a run's file; an IntegrityError where there is none, as in runs of before it was written, or where it is damaged."""
        path = run / RAW_CATEGORIES
        if not path.exists():
            what = "the run keeps no raw categories, which bundles are compared on"
            raise IntegrityError(Fault(what, str(path), "train again, or export without against=, quantize= and index="))
        with reading(path):
            try:
                table = pl.read_parquet(path)
            except pl.exceptions.PolarsError as error:
                raise ValueError(error) from error
            lacking = {ENTITY, INDEX, *_categories(store.schema, "user", "item", "context")}
            lacking -= {store.schema.user, store.schema.item, *table.columns}
            if lacking:
                raise ValueError(f"columns {sorted(lacking)} are missing")
        return cls(store, path, table)

    def values(self, column: str, index: np.ndarray) -> pl.Series:
        """[B] raw values of a categorical column by entity index [B], null at 0, or by row of the store; an IntegrityError if not kept."""
        schema = self.store.schema
        ids = {schema.user: "user_ids", schema.item: "item_ids"}
        if column in ids:
            return getattr(self.store, ids[column]).gather(index)
        entity = schema.feature(column).entity
        kept = self.table.filter(pl.col(ENTITY) == entity).select(INDEX, column)
        wanted = pl.DataFrame({INDEX: index.astype(np.int64)})
        lacking = wanted.filter((pl.col(INDEX) > 0) | (entity == "context")).join(kept, on=INDEX, how="anti")
        if len(lacking):
            what = f"column '{column}' lacks {len(lacking):,} of {len(index):,} values that bundles are compared on"
            raise IntegrityError(Fault(what, str(self.path), "train again"))
        return wanted.join(kept, on=INDEX, how="left", maintain_order="left")[column]
