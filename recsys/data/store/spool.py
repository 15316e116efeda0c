"""The interactions as one uncompressed file: the source's work is done once, then columns are read one at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class Spool:
    """Columns of the interactions in file order.

    Attributes:
        path: an Arrow file, deleted when the store is complete.
    """

    path: Path

    @classmethod
    def write(cls, interactions: pl.LazyFrame, columns: Iterable[str], path: Path) -> "Spool":
        """Run the query in a stream and keep these columns; repeated names count once."""
        interactions.select(list(dict.fromkeys(columns))).sink_ipc(path, compression="uncompressed")
        return cls(path)

    @property
    def num_rows(self) -> int:
        """N."""
        return pl.scan_ipc(self.path).select(pl.len()).collect().item()

    def column(self, name: str) -> pl.Series:
        """[N] one column."""
        return pl.scan_ipc(self.path).select(name).collect()[name]
