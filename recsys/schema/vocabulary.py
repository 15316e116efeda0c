"""Raw value <-> vocabulary index: 0 pads, 1 is unknown, rare or missing, known values follow from 2 on.

Strings are compared code point by code point: nothing is normalised here, so nothing has to be at serving. NFC and NFD
spellings of one word are two values; a source that wants them to be one normalises before.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import mmh3
import numpy as np
import polars as pl

from recsys.errors import DataError, Fault

PAD = 0
"""Index of padding in every vocabulary and entity table; its embedding is the zero vector."""
UNKNOWN = 1
"""Index of an unknown, rare or missing value in every vocabulary; its embedding is trained."""
FIRST_KNOWN = 2
"""Index of the first known value in every vocabulary."""
MISSING_INTEGER = -(2**63)
"""Integer that stands for a missing one in a served request, which has no null."""
CHUNK_ROWS = 4_000_000
"""Rows looked up at once; bounds memory, changes nothing."""


@dataclass(frozen=True)
class Vocabulary:
    """Known values of one column, most frequent first, equal counts by ascending value."""

    values: pl.Series  # [size] Int64 or String; the first two (padding, unknown) are null
    counts: pl.Series  # [size] Int64 training rows; rare and missing values are counted under unknown

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def fit(cls, values: pl.Series, *, rows: pl.Series | None, min_count: int) -> "Vocabulary":
        """Learn from training rows only. An Int64 or String value stands for `rows` of them, or for one; those of no row are left out.

        Values with fewer training rows than `min_count` are unknown.

        Example:
            >>> Vocabulary.fit(pl.Series(["b", "a", "b", None, "c", "c"]), rows=None, min_count=2).values.to_list()
            [None, None, 'b', 'c']
        """
        frame = pl.DataFrame({"value": values})
        number = pl.len() if rows is None else pl.col("rows").sum()
        frame = frame if rows is None else frame.with_columns(rows.alias("rows"))
        counts = frame.group_by("value").agg(number.cast(pl.Int64).alias("count"))
        known = counts.filter(pl.col("value").is_not_null() & (pl.col("count") >= max(min_count, 1)))
        known = known.sort("count", "value", descending=[True, False])
        unknown = int(counts["count"].sum()) - int(known["count"].sum())
        reserved = pl.DataFrame({"value": [None, None], "count": [0, unknown]}, schema=known.schema)
        frame = pl.concat([reserved, known])
        return cls(frame["value"], frame["count"])

    def index(self, values: pl.Series) -> np.ndarray:
        """Vocabulary index of raw values, int32; 1 where unknown or null."""
        known = np.arange(FIRST_KNOWN, len(self), dtype=np.int32)
        return look_up(values, self.values[FIRST_KNOWN:], known)

    def save(self, path: Path) -> str:
        """Write a parquet file with the columns value and count; returns its sha256."""
        pl.DataFrame({"value": self.values, "count": self.counts}).write_parquet(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote."""
        frame = pl.read_parquet(path)
        return cls(frame["value"], frame["count"])


def canonical(values: pl.Series) -> pl.Series:
    """Categories as they are compared: integers and booleans as Int64, text of any kind as String; a DataError for other types.

    Empty text and the smallest integer are null: a served graph takes them for missing values, so training does too.
    """
    if values.dtype.is_integer() or values.dtype == pl.Boolean:
        whole = values.cast(pl.Int64)
        return whole.set(whole == MISSING_INTEGER, None)
    if values.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        text = values.cast(pl.String)
        return text.set(text == "", None)
    raise DataError(
        Fault(f"type {values.dtype} is no category", f"column '{values.name}'", f"set data.source.types.{values.name} to int64 or string")
    )


def look_up(values: pl.Series, keys: pl.Series, index: np.ndarray) -> np.ndarray:
    """Entry of `index` [K] int32 for the key [K] that each value [N] equals; 1 (unknown) where no key does, or the value is null."""
    if values.dtype != keys.dtype:  # text among numbers, or the reverse: a join would refuse
        return np.full(len(values), UNKNOWN, dtype=np.int32)
    known = pl.DataFrame({"value": keys, "index": index})
    places = np.empty(len(values), dtype=np.int32)
    for start in range(0, len(values), CHUNK_ROWS):
        chunk = values[start : start + CHUNK_ROWS].to_frame("value")
        joined = chunk.join(known, on="value", how="left", maintain_order="left")["index"]
        places[start : start + len(chunk)] = joined.fill_null(UNKNOWN).to_numpy()
    return places


def hash_index(values: pl.Series, buckets: int) -> np.ndarray:
    """Bucket of Int64 or String values, int32 in [2, buckets + 2); 1 where null.

    MurmurHash3 (x86, 32 bit, seed 0, unsigned) of a string's UTF-8 or an integer's 8 little-endian bytes, as ONNX Runtime's
    com.microsoft::MurmurHash3 computes it.
    """
    distinct = values.drop_nulls().unique()
    if distinct.dtype == pl.Int64:
        raw = distinct.to_numpy().astype("<i8").tobytes()
        hashes = [mmh3.hash(raw[start : start + 8], 0, False) for start in range(0, len(raw), 8)]
    else:
        hashes = [mmh3.hash(value, 0, False) for value in distinct.to_list()]
    index = FIRST_KNOWN + np.array(hashes, dtype=np.int64) % buckets
    return look_up(values, distinct, index.astype(np.int32))
