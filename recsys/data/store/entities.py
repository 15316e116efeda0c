"""Users and items of a data set, numbered from 1 by ascending raw id. n entities, N rows."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from recsys.data.store.interactions import stable_order
from recsys.schema.vocabulary import canonical, look_up

ID = "__id"


@dataclass(frozen=True)
class Entities:
    """The users, or the items.

    Attributes:
        key: raw id column; None where rows name none, and one entity stands for them all.
        ids: [n] distinct raw ids, Int64 or String, ascending; entity index is the position from 1.
        table: [n] raw columns by entity, null where the entity has no row; None when there is no table.
    """

    key: str | None
    ids: pl.Series
    table: pl.DataFrame | None

    @classmethod
    def number(cls, key: str, seen: pl.Series, table: pl.LazyFrame | None, columns: list[str]) -> "Entities":
        """Number every entity of the interactions and of its own table.

        Args:
            seen: [N] raw ids in the interactions.
            columns: raw columns of the table to keep.
        """
        ids = canonical(seen).unique()
        if table is None:
            return cls(key, ids.sort(), None)
        frame = table.select(key, *(column for column in columns if column != key)).collect()
        frame = frame.with_columns(canonical(frame[key]).alias(ID))
        ids = ids.append(frame[ID]).unique().sort()
        aligned = ids.to_frame(ID).join(frame, on=ID, how="left", maintain_order="left")
        assert len(aligned) == len(ids), f"table of {key} repeats ids"
        return cls(key, ids, aligned)

    @classmethod
    def one(cls) -> "Entities":
        """The one entity, of id 0, that stands for all rows where they name none."""
        return cls(None, pl.Series([0]), None)

    def codes(self, values: pl.Series) -> np.ndarray:
        """[N] int32 entity index, 1..n, of raw ids that all occur."""
        return look_up(canonical(values), self.ids, np.arange(1, len(self.ids) + 1, dtype=np.int32))

    def save(self, path) -> None:
        """Write the ids by entity index, null at 0, as a parquet file with the column value."""
        pl.concat([pl.Series("value", [None], self.ids.dtype), self.ids.alias("value")]).to_frame().write_parquet(path)


def first_rows(codes: np.ndarray, time: np.ndarray, num_entities: int) -> np.ndarray:
    """[n] int64: each entity's earliest row (ties: first in the file), what describes it where it has no table of its own.

    The earliest, because a later one could carry the test period into training.

    Args:
        codes: [N] int32 entity index; each of 1..n occurs.
        time: [N] int64.
    """
    latest_first = stable_order(np.zeros(len(time), dtype=np.int32), time)[::-1]
    first = np.zeros(num_entities + 1, dtype=np.int64)
    first[codes[latest_first]] = latest_first  # the last assignment to an index stays: the earliest row
    return first[1:]
