"""Store of one prepared data set: a memory-mapped array per column, opened in milliseconds. N rows, E events, n entities, L list length.

An event is a positive row. Rows are sorted by (user, split, time, file order), so a user's events before any row are one range:
a history is a window, never a copy.
"""

import json
import logging
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shlex import quote as quoted
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.disk.records import reading, require_type
from recsys.disk.sums import SUMS, check_sums
from recsys.errors import Fault, IntegrityError, name_list
from recsys.schema import Schema
from recsys.schema.vocabulary import Vocabulary

log = logging.getLogger(__name__)
FORMAT = 6
"""Version of the layout; data is prepared anew where its store has another."""
READABLE = (3, 4, 5, FORMAT)
"""Versions that can be opened, to export a run of before.

Those before 4 keep no raw categories, those before 5 let histories hold later events, those before 6 have no hashes.
"""
MANIFEST = "manifest.json"
COLUMNS = ("user_features", "item_features", "context_features", "labels")
ROW_ARRAYS = ("user", "item", "session", "time", "split", "history_stop")
EVENT_ARRAYS = ("event_item", "event_time", "event_split", "event_row", "event_start", "item_count")
ARRAYS = ROW_ARRAYS + EVENT_ARRAYS
PREPARE = "prepare the data again: python train.py resume=<the run's directory>, or train.py with the same data as before"
GONE = f"the folder was removed or replaced while it was used: {PREPARE}"
"""Remedies for a store that was removed, and for one that was checked before."""


@dataclass(frozen=True)
class Store:
    """Entities are numbered from 1 by ascending raw id; index 0 pads, and row 0 of every entity array is 0.

    Features hold int32 vocabulary indices (Categorical, MultiCategorical), float32 raw values, NaN where missing (Numeric), float32
    (Vector), or int64 seconds since 1970 UTC (Timestamp). The user's events event_start[user] : history_stop came before a row: they are of
    an earlier split, or strictly earlier in the same one.
    """

    path: Path
    schema: Schema  # fitted on training rows
    user_features: dict[str, Tensor]  # {column: [n + 1] or [n + 1, L]} by entity index
    item_features: dict[str, Tensor]  # likewise
    context_features: dict[str, Tensor]  # {column: [N] or [N, L]} of each row; those of entity bias among them
    labels: dict[str, Tensor]  # {column: [N] float32}, NaN where missing
    user: Tensor  # [N] int32 entity index; 1 throughout where rows name none
    item: Tensor  # likewise
    session: Tensor  # [N] int32, equal for rows that were shown together; the user where the schema names no session
    time: Tensor  # [N] int64 microseconds since 1970 UTC, or a rank within the user; 0 when nothing is known of order
    split: Tensor  # [N] uint8: 0 train, 1 validation, 2 test
    history_stop: Tensor  # [N] int64
    event_item: Tensor  # [E] int32 item of the positive rows, in the order of rows
    event_time: Tensor  # [E] int64
    event_split: Tensor  # [E] uint8
    event_row: Tensor  # [E] int64, the row of each event
    event_start: Tensor  # [num_users + 2] int64: events of user u are event_start[u] : event_start[u + 1]
    item_count: Tensor  # [num_items + 1] int64 training events of each item
    notes: tuple[str, ...]  # sentences of the preparation, with counts
    boundaries: dict[str, int] | None  # microseconds at which "val" and "test" start, and "end" after the last row; None unless temporal

    @staticmethod
    def open(path: Path) -> "Store":
        """Map the arrays of a prepared store, once every file was held against its hash.

        Raises:
            IntegrityError: there is no store, or files are missing or not as they were written; see `recsys.disk.sums.check_sums`.
        """
        remedy = remove_remedy(path)
        if not os.path.exists(path):  # a name that is too long for a path is none
            raise IntegrityError(Fault("no prepared store here", str(path), PREPARE))
        if (path / SUMS).exists():
            check_sums(path, remedy)
        else:
            _check_sizes(path, read_manifest(path), remedy)
        return Store.of_folder(path)

    @staticmethod
    def of_folder(path: Path) -> "Store":
        """Map the arrays of a prepared store that this process, or the one that started it, has checked."""
        manifest = read_manifest(path)
        with reading(path, GONE):
            fields: dict[str, Any] = {name: _memory_map(path / file_name(name)) for name in ARRAYS}
            fields |= {group: {column: _memory_map(path / group / file_name(column)) for column in manifest[group]} for group in COLUMNS}
            schema = Schema.load(path / "schema.json")
            return Store(path, schema, **fields, notes=tuple(manifest["notes"]), boundaries=manifest["boundaries"])

    def __reduce__(self):
        """Workers and spawned processes map the files themselves instead of receiving copies."""
        return Store.of_folder, (self.path,)

    def to(self, device: torch.device) -> "Store":
        """This store with every tensor on a device."""
        fields: dict[str, Any] = {name: getattr(self, name).to(device) for name in ARRAYS}
        fields |= {group: {column: values.to(device) for column, values in getattr(self, group).items()} for group in COLUMNS}
        return replace(self, **fields)

    @property
    def num_users(self) -> int:
        """Users are numbered 1 .. num_users."""
        return len(self.event_start) - 2

    @property
    def num_items(self) -> int:
        """Items are numbered 1 .. num_items."""
        return len(self.item_count) - 1

    @cached_property
    def user_ids(self) -> pl.Series:
        """[num_users + 1] raw ids by entity index; the first is null."""
        return self._ids("user_ids.parquet")

    @cached_property
    def item_ids(self) -> pl.Series:
        """[num_items + 1] raw ids by entity index; the first is null."""
        return self._ids("item_ids.parquet")

    def _ids(self, name: str) -> pl.Series:
        with reading(self.path / name, GONE):
            return pl.read_parquet(self.path / name)["value"]

    def vocabulary(self, column: str) -> pl.Series:
        """[size] raw values of a categorical column by vocabulary index; the first two (padding, unknown) are null."""
        with reading(self.vocabulary_path(column), GONE):
            return Vocabulary.load(self.vocabulary_path(column)).values

    def vocabulary_path(self, column: str) -> Path:
        """Parquet file of a column's vocabulary, with the columns value and count."""
        return self.path / "vocabulary" / file_name(column, ".parquet")

    def raw_values(self, features: dict[str, Tensor]) -> list[dict[str, Any]]:
        """{column: value} of a few rows of a batch as a person wrote them, None where a value is missing or unknown to training.

        A history is its latest items, the last first. Vectors and hashed values are left out: nobody knows their raw values.
        """
        columns = {}
        for feature in self.schema.features:
            if feature.column in features:
                vocabulary = self.vocabulary(feature.table) if self.schema.keeps_vocabulary(feature.column) else None
                columns[feature.column] = feature.raw_words(features[feature.column].tolist(), vocabulary)
        present = {column: values for column, values in columns.items() if values is not None}
        return [dict(zip(present, row)) for row in zip(*present.values())]


def read_manifest(path: Path) -> dict:
    """Record of the preparation: format, inputs, counts, AUCs, seconds; an IntegrityError where there is none that fits."""
    with reading(path / MANIFEST, GONE if not path.exists() else remove_remedy(path)):
        manifest = require_type(json.loads((path / MANIFEST).read_text()), dict, "its content")
        if manifest["format"] not in READABLE:
            what = f"the store has format {manifest['format']}, this version reads {name_list([str(entry) for entry in READABLE])}"
            raise IntegrityError(Fault(what, str(path), PREPARE))
        return manifest


def remove_remedy(path: Path) -> str:
    """What to do about a damaged store."""
    return f"remove that folder (rm -r {quoted(str(path))}) and {PREPARE}"


def _check_sizes(path: Path, manifest: dict, remedy: str) -> None:
    """Hold a store of before, which has no hashes, against the sizes of its files, and say that nothing else was checked."""
    with reading(path / MANIFEST, remedy):
        if manifest["format"] == FORMAT:
            raise ValueError(f"{SUMS} is missing beside it")
        sizes = require_type(manifest["files"], dict, "'files'")
        damaged = [name for name, size in sizes.items() if not (path / name).exists() or (path / name).stat().st_size != size]
    if damaged:
        raise IntegrityError(Fault(f"files are missing or of another size: {name_list(damaged)}", str(path), remedy))
    log.warning("%s was prepared by an older version, without hashes: only the sizes of its files were checked", path)


def file_name(column: str, suffix: str = ".npy") -> str:
    """File name of a column: its own name, with whatever a path cannot hold percent-encoded."""
    return quote(column, safe=" ") + suffix


def _memory_map(path: Path) -> Tensor:
    # "c": pages are copied on write, so torch gets a writable array and the file never changes.
    return torch.from_numpy(np.load(path, mmap_mode="c"))
