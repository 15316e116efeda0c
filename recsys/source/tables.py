"""One's own tables: parquet and text files under any names, with any column names, read lazily."""

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

from recsys.errors import ConfigError, DataError, Fault, name_list
from recsys.schema import nearest
from recsys.source.base import SUFFIXES, Reading, Source, Tables, find_files, folder, path_types, scan
from recsys.source.text_files import TextForm
from recsys.source.values import TYPES, split_list

SPLIT = "split"
"""Column that says under which part of the split a row's file was listed."""


class TableFiles(Source):
    """Interactions and, where they exist, users and items, each from any number of parquet and text files.

    Files of one table may order their columns differently; columns that no feature reads do no harm. Files are given as a path, a glob
    ("clicks/**/*.parquet") or a folder, relative to `root` or absolute, or as a list of these. Below the root, folders of the form
    `name=value` are columns.

    Args:
        root: folder of the files; None only where every path is absolute.
        interactions: their files, or {part: files} where files are the split, as in {"train": "train.parquet", "test": "test.parquet"}; the
            part becomes the column `split`.
        users, items: files of the users and of the items, keyed by the same id columns; None = there are none.
        types: {column: "string" | "int64" | "float64" | "bool" | "date" | "datetime"} to read a column as another type than its file's. A
            value that the type cannot hold is a fault of the data: nothing is rounded.
        formats: {column: format of its moments as strftime writes it} where text is read as "date" or "datetime"; others are recognised.
        values: {column: {value: number}} of columns that are numbers in other words, such as {"clicked": {"Y": 1, "N": 0}}; a null value is
            what is missing.
        lists: {column: separator} of text columns that hold several values, such as {"genres": "|"}; "[]" = written as ['a', 'b'].
        separator: between the fields of text files; None = a tab for .tsv and .data, else a comma.
        header: the first line of text files names their columns; False = it is data, and `columns` names them.
        columns: names of the columns of files without a header: of the interactions, or {table: names} where other tables lack one, too.
        encoding: of text files, as Python names it: "latin-1", "cp1252", "utf-16".
        escape: character before a quote inside a quoted field of text files; None = the quote is doubled.
        decimal: decimal mark in text files, "." or ",".
        nulls: texts that mean a missing value in text files, such as "NULL"; the empty field always does.
    """

    def __init__(
        self,
        root: Path | None,
        interactions: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        *,
        users: str | Sequence[str] | None = None,
        items: str | Sequence[str] | None = None,
        types: Mapping[str, str] | None = None,
        formats: Mapping[str, str] | None = None,
        values: Mapping[str, Mapping] | None = None,
        lists: Mapping[str, str] | None = None,
        separator: str | None = None,
        header: bool = True,
        columns: Sequence[str] | Mapping[str, Sequence[str]] = (),
        encoding: str = "utf-8",
        escape: str | None = None,
        decimal: str = ".",
        nulls: Sequence[str] = (),
    ):
        self.root = root
        self.splits = dict(interactions) if isinstance(interactions, Mapping) else {}
        self.paths = {} if isinstance(interactions, Mapping) else {"interactions": interactions}
        self.paths |= {table: paths for table, paths in (("users", users), ("items", items)) if paths is not None}
        self.types, self.formats, self.lists = dict(types or {}), dict(formats or {}), dict(lists or {})
        self.values = {column: dict(numbers) for column, numbers in (values or {}).items()}
        self.separator, self.header, self.encoding, self.escape, self.decimal = separator, header, encoding, escape, decimal
        self.columns = {table: tuple(names) for table, names in columns.items()} if isinstance(columns, Mapping) else {}
        if columns and not self.columns:
            self.columns = {"interactions": tuple(columns)}
        self.nulls = tuple(nulls)

    def tables(self) -> Tables:
        """The raw tables, lazily; a DataError names every path that leads to no readable file, with the nearest one there is."""
        if wrong := list(self._argument_faults()):
            raise ConfigError(*wrong)
        faults: list[Fault] = []
        files = {table: self._files(paths, f"data.source.{table}", faults) for table, paths in self.paths.items()}
        split_files = {part: self._files(paths, f"data.source.interactions.{part}", faults) for part, paths in self.splits.items()}
        faults.extend(_shared_files(split_files))
        if faults:
            raise DataError(*faults)
        if self.splits:
            files["interactions"] = tuple(file for paths in split_files.values() for file in paths)
        parts = {table: tuple(self._scan_all(table, paths)) for table, paths in files.items()}
        if self.splits:
            of_part = [part for part, paths in split_files.items() for _ in paths]
            named = (frame.with_columns(pl.lit(part).alias(SPLIT)) for part, frame in zip(of_part, parts["interactions"]))
            parts["interactions"] = tuple(named)
        if unknown_columns := list(self._column_faults(frame for frames in parts.values() for frame in frames)):
            raise ConfigError(*unknown_columns)
        return Tables.from_parts(files, parts, encoding=self.encoding)

    def _scan_all(self, table: str, files: Sequence[Path]) -> Iterator[pl.LazyFrame]:
        names = () if self.header else self.columns.get(table, ())
        form = TextForm(self.separator, names, self.encoding, self.escape, self.decimal, self.nulls)
        reading = Reading(self.types, self.formats, self.values, form)
        of_path = path_types(files, Path(self.root).expanduser() if self.root else Path("/"))
        for file in files:
            frame = scan(file, reading, path_types=of_path)
            # Selectors, because a frame that lacks the column keeps its lazy schema unread.
            texts = (cs.by_name(column, require_all=False) & cs.string() for column in self.lists)
            yield frame.with_columns(split_list(text, separator) for text, separator in zip(texts, self.lists.values()))

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

    def _argument_faults(self) -> Iterator[Fault]:
        for column, name in self.types.items():
            if name not in TYPES:
                yield Fault(f"no type '{name}'{nearest(name, TYPES)}", f"data.source.types.{column}", f"use one of {', '.join(TYPES)}")
        for column in self.formats:
            if self.types.get(column) not in ("date", "datetime"):
                what = f"a format of moments, and '{column}' is not read as moments"
                yield Fault(what, f"data.source.formats.{column}", f"set data.source.types.{column}=datetime")
        for column, numbers in self.values.items():
            if not numbers or not all(isinstance(number, int | float) for number in numbers.values()):
                yield Fault(
                    "a value stands for no number", f"data.source.values.{column}", "write {value: number, ...}, as in {Y: 1, N: 0}"
                )
        if self.decimal not in (".", ","):
            yield Fault(f"decimal mark '{self.decimal}'", "data.source.decimal", "use '.' or ','")
        if self.header == bool(self.columns):
            what = "names of columns, and the files have a header" if self.header else "no header, and no names of columns"
            yield Fault(what, "data.source.header, data.source.columns", "set header: false and columns: [...] together")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            what = f"no encoding '{self.encoding}'"
            yield Fault(what, "data.source.encoding", "use one that Python names: utf-8, latin-1, cp1252, utf-16")

    def _column_faults(self, frames: Iterable[pl.LazyFrame]) -> Iterator[Fault]:
        """Columns of `types`, `values` or `lists` that no file has. Files are opened only where one of them is used."""
        named: dict[str, Mapping[str, object]] = {"types": self.types, "values": self.values, "lists": self.lists}
        keys = {column: key for key, columns in named.items() for column in columns}
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
