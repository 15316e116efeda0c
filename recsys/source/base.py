"""Sources of raw tables: lazy Polars frames in raw columns."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl

from recsys.errors import ConfigError, DataError, Fault, name_list
from recsys.schema import nearest
from recsys.source.moments import ISO, moment_formats
from recsys.source.text_files import TEXT_SUFFIXES, TextForm, scan_text
from recsys.source.values import TYPES, converted, mapped, text_type

FILE = "__file"
"""Column a raw table may carry: path of the file a row came from, as str of its entry in `Tables.files`."""
ROW = "__row"
"""Column a raw table may carry: row number within that file, from 0; a CSV's header line is not counted."""
RAW = "__raw "
"""Prefix of the column that holds the values of another as its file has them, where they are read as another type."""
PARQUET = (".parquet", ".pq")
SUFFIXES = (*PARQUET, *TEXT_SUFFIXES)
"""Files that `scan` can read."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""Value of a `name=value` folder whose rows have none."""
LOGS = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table", "metadata/version-hint.text": "an Iceberg table"}
"""Paths by which a folder is known as a table whose log says which of its files count."""
INFERENCE_ROWS = 20_000
"""First rows of a text file that decide its column types; `types` overrules them."""


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
    encoding: str = "utf-8"  # of text files
    notes: Sequence[str] = ()  # what the source dropped or changed while reading, in sentences with counts; printed before training

    @staticmethod
    def from_parts(
        files: dict[str, tuple[Path, ...]], parts: dict[str, tuple[pl.LazyFrame, ...]], notes: Sequence[str] = (), encoding: str = "utf-8"
    ) -> "Tables":
        """Tables whose frames are their parts, one after another."""
        frames = {table: concat_rows(frames) for table, frames in parts.items()}
        users, items = frames.get("users"), frames.get("items")
        return Tables(frames["interactions"], users, items, files=files, parts=parts, encoding=encoding, notes=notes)


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


@dataclass(frozen=True)
class Reading:
    """The way in which raw columns are read; empty mappings leave each as its file has it."""

    types: Mapping[str, str] = field(default_factory=dict)  # {column: name of TYPES}
    formats: Mapping[str, str] = field(default_factory=dict)  # {column: format of its moments}, as strftime writes it
    values: Mapping[str, Mapping[object, float]] = field(default_factory=dict)  # {column: {value: number that stands for it}}
    form: TextForm = field(default_factory=TextForm)  # of text files


def scan(file: Path, reading: Reading | None = None, *, path_types: Mapping[str, str] | None = None) -> pl.LazyFrame:
    """One file with an ending of SUFFIXES, with FILE and ROW; both cost nothing in a query that does not select them.

    A dictionary is read as text, a decimal without a fraction as int64, columns of a text file by their first INFERENCE_ROWS rows. A value
    that its type cannot hold is null, and the raw one stays in a column of the name RAW + column, for validation to count.

    Args:
        path_types: {column: type} of the `name=value` folders above the file, which are columns; None = they are not.
    """
    reading = reading or Reading()
    if file.name.endswith(PARQUET):
        frame = pl.scan_parquet(file, row_index_name=ROW, glob=False, hive_partitioning=False)
    else:
        frame = scan_text(file, reading.form, ROW)
    frame = frame.with_columns(pl.lit(str(file)).alias(FILE))
    try:
        return _typed(frame, file, reading, path_types or {})
    except (pl.exceptions.PolarsError, OSError):
        return frame  # validation names the file


def _typed(frame: pl.LazyFrame, file: Path, reading: Reading, path_types: Mapping[str, str]) -> pl.LazyFrame:
    folders = {column: value for column, value in path_values(file).items() if column in path_types}
    frame = frame.with_columns(pl.lit(value, pl.String).alias(column) for column, value in folders.items()) if folders else frame
    schema, is_text = frame.collect_schema(), not file.name.endswith(PARQUET)
    texts = [column for column, dtype in schema.items() if dtype == pl.String and column != FILE and (is_text or column in reading.types)]
    head = frame.select(texts).head(INFERENCE_ROWS).collect() if texts else pl.DataFrame()
    columns = []
    for column, dtype in schema.items():
        if column in (FILE, ROW):
            continue
        guess = path_types.get(column) or (text_type(head[column], reading.form.decimal) if is_text else _plain_type(dtype))
        name = reading.types.get(column, guess)
        if column in reading.values:
            value = mapped(pl.col(column), dtype, reading.values[column])
        elif name is None or TYPES[name] == dtype:
            continue
        else:
            written = reading.formats.get(column) or next(iter(moment_formats(head[column]) if column in head else ()), ISO)
            loose = column in reading.types
            value = converted(pl.col(column), dtype, name, written=written, decimal=reading.form.decimal, loose=loose)
        raw = pl.col(column).fill_nan(None) if dtype.is_float() else pl.col(column)
        columns += [value.alias(column), raw.alias(RAW + column)]
    return frame.with_columns(columns) if columns else frame


def _plain_type(dtype: pl.DataType) -> str | None:
    """Type that a dictionary or a decimal is read as; None = its own."""
    if isinstance(dtype, pl.Decimal):
        return "float64" if dtype.scale else "int64"
    return "string" if dtype in (pl.Categorical, pl.Enum) else None


def path_values(file: Path) -> dict[str, str | None]:
    """{column: text} of the `name=value` folders above a file, as Hive writes them.

    Example:
        >>> path_values(Path("events/day=2024-01-01/country=no/part-0.parquet"))
        {'day': '2024-01-01', 'country': 'no'}
    """
    pairs = (part.split("=", 1) for part in file.parts[:-1] if re.match(r"[A-Za-z_]\w*=", part))
    return {column: None if value == NO_VALUE else unquote(value) for column, value in pairs}


def path_types(files: Sequence[Path], root: Path) -> dict[str, str]:
    """{column: type} of the `name=value` folders between a root and these files, by all their values."""
    values: dict[str, list[str | None]] = {}
    for file in files:
        below = file.relative_to(root) if file.is_relative_to(root) else file
        for column, value in path_values(below).items():
            values.setdefault(column, []).append(value)
    return {column: text_type(pl.Series(texts, dtype=pl.String)) for column, texts in values.items()}


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

    Names that begin with "." or "_" (_SUCCESS, .crc, .ipynb_checkpoints/) are left out of globs and folders, and what is below them. The
    pattern comes from config key `key`.
    """
    start = pattern
    while not start.exists() and start != start.parent:
        start = start.parent
    if pattern.is_file():
        return (pattern,), ()
    glob = "**/*" if pattern.is_dir() else str(pattern.relative_to(start))
    below = [path for path in start.glob(glob) if path.is_file()]
    shown = [path for path in below if not any(part.startswith((".", "_")) for part in path.relative_to(start).parts)]
    files = tuple(sorted(shown))
    folders = {folder for path in files for folder in path.parents if folder.is_relative_to(start)}
    for place, (log, table) in product(sorted(folders), LOGS.items()):
        if (place / log).exists():
            what = f"the folder is {table}: its log says which of its {len(files)} files count, and this program does not read it"
            return (), (Fault(what, str(place / log), "write the table's rows to a parquet file with a program that reads the log"),)
    if files:
        return files, ()
    if pattern.is_dir():
        return (), (Fault(f"no file in folder '{pattern}'", str(pattern), f"put the files there, or change {key}"),)
    names = sorted(path.name for path in start.iterdir()) if start.is_dir() else []
    wanted = pattern.relative_to(start).parts[0]
    noun = "file matches" if any(mark in wanted for mark in "*?[") else "file or folder"
    what = f"no {noun} '{wanted}'{nearest(wanted, names)}"
    return (), (Fault(what, str(pattern), f"change {key}; '{start}' holds {name_list(names, 8) or 'nothing'}"),)
