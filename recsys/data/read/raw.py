"""Categories of a store's users, items and rows as its source has them. N rows, n entities.

A store keeps of a category what its own model reads: an index in the vocabulary of its training rows, or a bucket; of a list, no more
entries than that model is long. Another model knows other values and reads other lengths, so both are asked with what is found here.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import polars as pl

from recsys.data.check.validate import validate
from recsys.data.split import Split
from recsys.data.store import Store, read_manifest
from recsys.data.store.build import key_columns, own_columns, row_order, spooled
from recsys.data.store.entities import first_rows
from recsys.data.store.events import KeyColumns
from recsys.data.store.feature_files import entity_values
from recsys.data.store.inputs import Input, inputs
from recsys.errors import Fault, IntegrityError
from recsys.schema import Categorical, MultiCategorical
from recsys.source.base import Source, Tables


def raw_categories(source: Source, store: Store, split: Split, *, bad_rows: Literal["fail", "quarantine"]) -> dict[str, pl.Series]:
    """{column of a Categorical or MultiCategorical: its raw values}, read again from the tables that the store was prepared from.

    Those of users and items are [n + 1] by entity index, null at 0; those of context are [N] in the order of the store's rows.

    Args:
        source, split, bad_rows: what the store was prepared with.
    Raises:
        IntegrityError: the source gives other tables, or rows, than those.
    """
    tables, schema = source.tables(), store.schema.fitted({})
    _check_inputs(tables, store)
    with TemporaryDirectory() as scratch:
        checked = validate(tables, schema, bad_rows=bad_rows, quarantine=Path(scratch) / "quarantine", max_unknown_share=1.0).tables
        spool, entities = spooled(checked, schema, split, Path(scratch) / "interactions.arrow")
        in_file, _ = key_columns(spool, schema, split, entities)
        order = row_order(in_file)
        _check_rows(in_file.ordered(order), store)
        wanted = {feature.column for feature in schema.features if isinstance(feature, Categorical | MultiCategorical)}
        found = {}
        for entity, codes in (("user", in_file.user), ("item", in_file.item)):
            numbered = entities[entity]
            described_by = first_rows(codes, in_file.time, len(numbered.ids)) if numbered.table is None else None
            for column in wanted & set(own_columns(schema, entity)):
                values = entity_values(column, numbered, spool, described_by)
                found[column] = pl.concat([pl.Series([None], dtype=values.dtype), values.rename("")])
        return found | {column: spool.column(column).gather(order) for column in wanted & set(own_columns(schema, "context"))}


def _check_inputs(tables: Tables, store: Store) -> None:
    recorded = [Input(**entry).content for entry in read_manifest(store.path)["inputs"]]
    if [entry.content for entry in inputs(tables)] != recorded:
        what = "the source gives other tables than those that the data was prepared from"
        raise IntegrityError(Fault(what, str(store.path), "export in the folder that the run was trained in, with the same files"))


def _check_rows(rows: KeyColumns, store: Store) -> None:
    same = all(np.array_equal(vars(rows)[name], vars(store)[name].numpy()) for name in ("user", "item", "time", "split"))
    if not same:
        what = "the source's rows are not those that were prepared: which rows are good, or how they are divided, has changed since"
        raise IntegrityError(Fault(what, str(store.path), "delete this folder and train again: run train.py with the same data"))
