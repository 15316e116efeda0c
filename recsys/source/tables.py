"""One's own tables: parquet and CSV files under any names, with any column names, read lazily."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

from recsys.errors import ConfigError, DataError, Fault, name_list
from recsys.schema import nearest
from recsys.source.base import SUFFIXES, Dtype, Source, Tables, find_files, folder, scan

SPLIT = "split"
"""Column that says under which part of the split a row's file was listed."""
TYPES: dict[str, Dtype] = {"string": pl.String, "int64": pl.Int64, "float64": pl.Float64, "date": pl.Date, "datetime": pl.Datetime("us")}


class TableFiles(Source):
    """Interactions and, where they exist, users and items, each from any number of parquet and CSV files.

    Files of one table may order their columns differently; columns that no feature reads do no harm. Files are given as a path, a glob
    ("clicks/**/*.parquet") or a folder, relative to `root` or absolute, or as a list of these.

    Args:
        root: folder of the files; None only where every path is absolute.
        interactions: their files, or {part: files} where files are the split, as in {"train": "train.parquet", "test": "test.parquet"}; the
            part becomes the column `split`.
        users, items: files of the users and of the items, keyed by the same id columns; None = there are none.
        types: {column: "string" | "int64" | "float64" | "date" | "datetime"} to read a column as another type than its file's: ids with
            leading zeros in a CSV, or ids that are numbers in one file and text in another.
        lists: {column: separator} of text columns that hold several values, such as {"genres": "|"}.
        separator: between the fields of CSV files; None = a tab for .tsv, else a comma.
        nulls: texts that mean a missing value in CSV files, such as "NULL"; the empty field always does.
    """

    def __init__(
        self,
        root: Path | None,
        interactions: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        *,
        users: str | Sequence[str] | None = None,
        items: str | Sequence[str] | None = None,
        types: Mapping[str, str] | None = None,
        lists: Mapping[str, str] | None = None,
        separator: str | None = None,
        nulls: Sequence[str] = (),
    ):
        self.root = root
        self.splits = dict(interactions) if isinstance(interactions, Mapping) else {}
        self.paths = {} if isinstance(interactions, Mapping) else {"interactions": interactions}
        self.paths |= {table: paths for table, paths in (("users", users), ("items", items)) if paths is not None}
        self.types = dict(types or {})
        self.lists = dict(lists or {})
        self.separator = separator
        self.nulls = tuple(nulls)

    def tables(self) -> Tables:
        """The raw tables, lazily; a DataError names every path that leads to no readable file, with the nearest one there is."""
        if wrong_types := list(self._type_faults()):
            raise ConfigError(*wrong_types)
        faults: list[Fault] = []
        files = {table: self._files(paths, f"data.source.{table}", faults) for table, paths in self.paths.items()}
        split_files = {part: self._files(paths, f"data.source.interactions.{part}", faults) for part, paths in self.splits.items()}
        faults.extend(_shared_files(split_files))
        if faults:
            raise DataError(*faults)
        parts = {table: tuple(map(self._scan, paths)) for table, paths in files.items()}
        if self.splits:
            of_part = [(part, file) for part, paths in split_files.items() for file in paths]
            files["interactions"] = tuple(file for _, file in of_part)
            parts["interactions"] = tuple(self._scan(file).with_columns(pl.lit(part).alias(SPLIT)) for part, file in of_part)
        if unknown_columns := list(self._column_faults(frame for frames in parts.values() for frame in frames)):
            raise ConfigError(*unknown_columns)
        return Tables.from_parts(files, parts)

    def _scan(self, file: Path) -> pl.LazyFrame:
        frame = scan(file, types={column: TYPES[name] for column, name in self.types.items()}, separator=self.separator, nulls=self.nulls)
        # Selectors, because a frame that lacks the column keeps its lazy schema unread.
        texts = (cs.by_name(column, require_all=False) & cs.string() for column in self.lists)
        return frame.with_columns(text.str.split(separator) for text, separator in zip(texts, self.lists.values()))

    def _files(self, paths: str | Sequence[str], key: str, faults: list[Fault]) -> tuple[Path, ...]:
        """Files of a config key; those that are missing or cannot be read join the faults."""
        files: dict[Path, None] = {}  # a file that two globs match counts once, in first place
        for path in [paths] if isinstance(paths, str) else paths:
            pattern = Path(path).expanduser()
            pattern = pattern if pattern.is_absolute() else folder(self.root, f"'{path}'") / pattern
            matches, missing = find_files(pattern, key)
            faults.extend(missing)
            files |= dict.fromkeys(matches)
        foreign = [str(file) for file in files if not file.name.endswith(SUFFIXES)]
        if foreign:
            what = f"{len(foreign)} of {len(files)} files of {key} cannot be read"
            faults.append(Fault(what, name_list(foreign), f"use files ending in {', '.join(SUFFIXES)}"))
        return tuple(files)

    def _type_faults(self) -> Iterator[Fault]:
        for column, name in self.types.items():
            if name not in TYPES:
                yield Fault(f"no type '{name}'{nearest(name, TYPES)}", f"data.source.types.{column}", f"use one of {', '.join(TYPES)}")

    def _column_faults(self, frames: Iterable[pl.LazyFrame]) -> Iterator[Fault]:
        """Columns of `types` or `lists` that no file has. Files are opened only where one of the two is used."""
        keys = {**dict.fromkeys(self.types, "types"), **dict.fromkeys(self.lists, "lists")}
        if not keys:
            return
        try:
            columns = {column for frame in frames for column in frame.collect_schema().names()}
        except (pl.exceptions.PolarsError, OSError):
            return  # a file that cannot be read is named by validation, together with every other fault of the files
        for column in (column for column in keys if column not in columns):
            what = f"no file has a column '{column}'{nearest(column, columns)}"
            yield Fault(what, f"data.source.{keys[column]}.{column}", "name a column, or remove it")


def _shared_files(split_files: dict[str, tuple[Path, ...]]) -> Iterator[Fault]:
    """One fault for each file that stands in more than one part of the split."""
    holders: dict[Path, list[str]] = {}
    for part, files in split_files.items():
        for file in files:
            holders.setdefault(file, []).append(part)
    for file, parts in holders.items():
        if len(parts) > 1:
            what = f"one file is in {len(parts)} parts of the split: {', '.join(parts)}"
            yield Fault(what, str(file), "list it in one part of data.source.interactions")
