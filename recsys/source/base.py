"""Sources of raw tables: lazy Polars frames in raw columns."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
import polars.selectors as cs

from recsys.errors import ConfigError, DataError, Fault, name_list
from recsys.schema import nearest

FILE = "__file"
"""Column a raw table may carry: path of the file a row came from, as str of its entry in `Tables.files`."""
ROW = "__row"
"""Column a raw table may carry: row number within that file, from 0; a CSV's header line is not counted."""
SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz", ".tsv")
"""Files that `scan` can read."""
INFERENCE_ROWS = 20_000
"""First rows of a CSV that decide its column types; `types` overrules them."""
Dtype: TypeAlias = pl.DataType | type[pl.DataType]
"""A Polars type, or the class of one."""


@dataclass(frozen=True)
class Tables:
    """Raw tables "interactions", "users" and "items", nothing read yet.

    Faults are named by `files`, the files behind each frame in row order. `parts` holds the share of a frame that comes from each of them,
    for faults that would be hidden or nameless in the concatenated frame (unreadable files, differing types); a table may be missing there.
    """

    interactions: pl.LazyFrame  # one row per interaction (or impression), in raw columns
    users: pl.LazyFrame | None = None  # one row per user, keyed by the schema's id column; None when there is none
    items: pl.LazyFrame | None = None  # one row per item, likewise
    files: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    parts: dict[str, tuple[pl.LazyFrame, ...]] = field(default_factory=dict)
    notes: Sequence[str] = ()  # what the source dropped or changed while reading, in sentences with counts; printed before training

    @staticmethod
    def from_parts(files: dict[str, tuple[Path, ...]], parts: dict[str, tuple[pl.LazyFrame, ...]], notes: Sequence[str] = ()) -> "Tables":
        """Tables whose frames are their parts, one after another."""
        frames = {table: concat_rows(frames) for table, frames in parts.items()}
        return Tables(frames["interactions"], frames.get("users"), frames.get("items"), files=files, parts=parts, notes=notes)


class Oracle(ABC):
    """True probabilities of a simulated world; evaluation alone reads them."""

    @abstractmethod
    def scores(self, user_ids: np.ndarray, item_ids: np.ndarray, start: int, stop: int) -> np.ndarray:
        """True expected number of positive interactions of each user [U] with each item [N] in start : stop, microseconds since 1970 UTC.

        [U, N] float32; 0 for an item that does not exist yet in that period.
        """

    @abstractmethod
    def if_shown(
        self, label: str, user_ids: np.ndarray, item_ids: np.ndarray, *, moments: np.ndarray, context: Mapping[str, pl.Series]
    ) -> np.ndarray:
        """True P(label | the label it is given is 1) of each item if it was shown to each user at a moment, over all places of a page.

        [U, N] float32; also of an item that does not exist yet.

        Args:
            moments: [U] int64 microseconds since 1970 UTC.
            context: {column: [U] raw values at these moments, null where unknown}; a column may be missing.
        """

    @abstractmethod
    def probabilities(self, known: Collection[str]) -> pl.LazyFrame:
        """The truth of every interaction, by the raw user, item and time columns, which together are a key.

        `known` are the raw columns of a row that may be known beside the key: where the truth depends on another one, such as the position
        in a page, it is the mean over that one's values.

        For each label, `<label>_probability` is P(label | the label it is given is 1). For a label given another, `<label>_if_<given>` is
        its probability if the given one had to be 1 in every row: the truth over all rows, not only over those where it was.
        """


class Source(ABC):
    """Source of raw tables; `conf/data/<name>.yaml` says what each column means."""

    @abstractmethod
    def tables(self) -> Tables:
        """The raw tables, lazily; a missing file is a DataError that names it."""

    def oracle(self) -> Oracle | None:
        """The truth behind the tables, where it is known."""
        return None


def scan(file: Path, *, types: Mapping[str, Dtype] | None = None, separator: str | None = None, nulls: Sequence[str] = ()) -> pl.LazyFrame:
    """One file with an ending of SUFFIXES, nothing read yet, with FILE and ROW; both cost nothing in a query that does not select them.

    Args:
        types: {column: type} the file is read as, where it has the column. Text becomes a moment in UTC, day before month where slashes
            leave it open; a number with a fraction loses it as an integer.
        separator: between the fields of a CSV; None = a tab for .tsv, else a comma.
        nulls: texts that mean a missing value in a CSV, besides the empty field.
    """
    types = dict(types or {})
    if file.name.endswith((".parquet", ".pq")):
        frame = pl.scan_parquet(file, row_index_name=ROW)
    else:
        frame = pl.scan_csv(
            file,
            separator=separator or ("\t" if file.suffix == ".tsv" else ","),
            null_values=list(nulls) or None,
            # Integers are cast below instead: where an id may be missing, many programs write 17850.0.
            schema_overrides={column: dtype for column, dtype in types.items() if not dtype.is_integer()},
            try_parse_dates=True,
            infer_schema_length=INFERENCE_ROWS,
            row_index_name=ROW,
        )
    for column, dtype in types.items():
        named = cs.by_name(column, require_all=False)  # a selector, so that no file is opened to see whether it has the column
        if dtype.is_temporal():
            frame = frame.with_columns((named & cs.string()).str.to_datetime(time_unit="us", time_zone="UTC").dt.replace_time_zone(None))
        frame = frame.with_columns(named.cast(dtype))
    return frame.with_columns(pl.lit(str(file)).alias(FILE))


def column_types(frame: pl.LazyFrame, file: Path) -> pl.Schema:
    """Types of the columns of a file; a DataError where it cannot be read."""
    try:
        return frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        what = f"the file cannot be read: {str(error).splitlines()[0]}"
        raise DataError(Fault(what, str(file), "copy or export it again")) from error


def concat_rows(parts: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Rows of all parts, one after another; columns by name in any order, missing ones null.

    Never raises: it gives differing types their common type (int and string become string), so compare the parts' types first.
    """
    return pl.concat(parts, how="diagonal_relaxed")


def folder(root: Path | None, holds: str) -> Path:
    """The folder of raw files that `data.root` names, which should hold what `holds` says; a ConfigError when it names none."""
    if root is None:
        raise ConfigError(Fault("data.root is not set", "data.root", f"type data.root=<folder that holds {holds}>"))
    return Path(root).expanduser()


def find_files(pattern: Path, key: str) -> tuple[tuple[Path, ...], tuple[Fault, ...]]:
    """Files that a path, a glob ("**" for any depth) or a folder stands for, sorted; or the one fault that there are none.

    Names that begin with "." or "_" (_SUCCESS, .crc) are left out of globs and folders. The pattern comes from config key `key`.
    """
    start = pattern
    while not start.exists() and start != start.parent:
        start = start.parent
    if pattern.is_file():
        return (pattern,), ()
    glob = "**/*" if pattern.is_dir() else str(pattern.relative_to(start))
    files = tuple(sorted(path for path in start.glob(glob) if path.is_file() and not path.name.startswith((".", "_"))))
    if files:
        return files, ()
    if pattern.is_dir():
        return (), (Fault(f"no file in folder '{pattern}'", str(pattern), f"put the files there, or change {key}"),)
    names = sorted(path.name for path in start.iterdir()) if start.is_dir() else []
    wanted = pattern.relative_to(start).parts[0]
    noun = "file matches" if any(mark in wanted for mark in "*?[") else "file or folder"
    what = f"no {noun} '{wanted}'{nearest(wanted, names)}"
    return (), (Fault(what, str(pattern), f"change {key}; '{start}' holds {name_list(names, 8) or 'nothing'}"),)
