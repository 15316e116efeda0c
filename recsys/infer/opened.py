"""Tables opened as the written yaml will open them: files, form, types, and labels in 0 and 1."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recsys.errors import DataError, Fault
from recsys.infer.columns import SAMPLE_ROWS, table_columns
from recsys.infer.labels import label_values
from recsys.infer.read import Answers, ask_about_texts, files_of, guess_form, key_faults, parts_of
from recsys.source.base import FILE, Reading, column_types, concat_rows, path_types, scan
from recsys.source.tables import SPLIT
from recsys.source.text_files import TextForm


@dataclass(frozen=True)
class Opened:
    """Tables, and what of them the yaml has to say besides the answers."""

    frames: dict[str, pl.LazyFrame]  # {pattern: table} in raw columns
    parts: dict[str, list[Path]]  # {part of a published split: files of the interactions}; empty where names say none
    types: dict[str, str]  # {column: type} that make the files of a table alike where they differ

    @staticmethod
    def of(patterns: Sequence[str], answers: Answers, *, root: Path, ones: Mapping[str, str | None], others: Collection[str]) -> "Opened":
        """Open each table, the interactions first; a DataError asks what cannot be guessed. `answers` takes what is guessed.

        Args:
            root: folder above all files.
            ones, others: labels, as `label_values` takes them.
        """
        files = {pattern: files_of(pattern) for pattern in patterns}
        parts = parts_of(files[patterns[0]])
        guess_form(answers, files)
        main, *_ = tables = {pattern: _Table(files[pattern], root, not place) for place, pattern in enumerate(patterns)}
        try:
            types = {column: name for table in tables.values() for column, name in table.differing(answers).items()}
            decimal = answers.decimal
            for pattern, table in tables.items():
                ask_about_texts(answers, pattern, table.frame(answers, types), SAMPLE_ROWS)
            if answers.decimal != decimal:  # numbers of the tables before it are read anew
                for pattern, table in tables.items():
                    ask_about_texts(answers, pattern, table.frame(answers, types), SAMPLE_ROWS)
            answers.values |= label_values(table_columns(tables[main].frame(answers, types)), ones, others)
            frames = {pattern: table.frame(answers, types) for pattern, table in tables.items()}
            if faults := list(key_faults(frames.items())):
                raise DataError(*faults)
        except (pl.exceptions.PolarsError, OSError) as error:
            what = f"rows cannot be read: {str(error).splitlines()[0]}"
            raise DataError(Fault(what, ", ".join(patterns), "repair the value, or say --separator, --escape or --null")) from error
        if parts:
            named = {str(file): part for part, paths in parts.items() for file in paths}
            part = pl.col(FILE).replace_strict(named, return_dtype=pl.String).alias(SPLIT)
            frames[patterns[0]] = frames[patterns[0]].with_columns(part)
        return Opened(frames, parts, types)


@dataclass(frozen=True)
class _Table:
    """One table's files, and how they are read."""

    files: tuple[Path, ...]
    root: Path
    has_columns: bool  # `Answers.columns` are its names

    def parts(self, answers: Answers, types: Mapping[str, str]) -> list[pl.LazyFrame]:
        names = tuple(answers.columns) if self.has_columns else ()
        decimal = answers.decimal or "."
        form = TextForm(answers.separator, names, answers.encoding, answers.escape, decimal, tuple(answers.nulls))
        reading = Reading({**types, **answers.types}, answers.formats, answers.values, form)
        of_path = path_types(self.files, self.root)
        return [scan(file, reading, path_types=of_path) for file in self.files]

    def frame(self, answers: Answers, types: Mapping[str, str]) -> pl.LazyFrame:
        return concat_rows(self.parts(answers, types))

    def differing(self, answers: Answers) -> dict[str, str]:
        """{column: type} of the columns that have more than one type in these files."""
        dtypes: dict[str, set[pl.DataType]] = {}
        for file, part in zip(self.files, self.parts(answers, {})):
            for column, dtype in column_types(part, file).items():
                dtypes.setdefault(column, set()).add(dtype)
        plain = {column: types - {pl.Null()} for column, types in dtypes.items() if not column.startswith("__")}
        return {
            column: _common_type(types)
            for column, types in plain.items()
            if len(types) > 1 and not any(dtype.is_nested() for dtype in types)
        }


def _common_type(dtypes: Set[pl.DataType]) -> str:
    if all(dtype.is_temporal() for dtype in dtypes):
        return "datetime"
    if all(dtype.is_integer() for dtype in dtypes):
        return "int64"
    return "float64" if all(dtype.is_numeric() for dtype in dtypes) else "string"
