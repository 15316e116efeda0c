"""Text files of tables: encoding, header, separator, quotes and null texts. Every field is read as text, without blanks around it."""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.selectors as cs

TEXT_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".data")
TABS = (".tsv", ".tsv.gz", ".data")
"""Text files whose fields are separated by tabs unless the form says otherwise."""


@dataclass(frozen=True)
class TextForm:
    """Form of text files."""

    separator: str | None = None  # between fields; None = a tab for .tsv and .data, else a comma
    columns: tuple[str, ...] = ()  # names of the columns where the files have no header line
    encoding: str = "utf-8"  # as Python names it
    escape: str | None = None  # character before a quote inside a quoted field; None = the quote is doubled
    decimal: str = "."  # decimal mark; with "," a point between groups of three digits is left out
    nulls: tuple[str, ...] = ()  # texts that mean a missing value, besides the empty field


def separator_of(file: Path, form: TextForm) -> str:
    """Separator between the fields of a file."""
    return form.separator or ("\t" if file.name.endswith(TABS) else ",")


def scan_text(file: Path, form: TextForm, row_name: str) -> pl.LazyFrame:
    """Rows of a text file, all columns text, with the row number in column `row_name`; nothing is read yet where the file is UTF-8."""
    plain = form.escape is None and form.encoding.lower() in ("utf-8", "utf8")
    frame = pl.scan_csv(
        file if plain else io.BytesIO(_recoded(file, form)),
        separator=separator_of(file, form),
        has_header=not form.columns,
        new_columns=list(form.columns) or None,
        with_column_names=None if form.columns else _names,
        infer_schema=False,
        row_index_name=row_name,
        glob=False,
    )
    text = cs.string().str.strip_chars()
    return frame.with_columns(pl.when(~text.is_in(["", *form.nulls])).then(text))


def _names(names: list[str]) -> list[str]:
    return [name.strip() for name in names]


def _recoded(file: Path, form: TextForm) -> bytes:
    """Content of a file in UTF-8 with doubled quotes; bytes that are not of its encoding are left to validation."""
    content = gzip.decompress(file.read_bytes()) if file.name.endswith(".gz") else file.read_bytes()
    text = content.decode(form.encoding, errors="replace")
    return (text if form.escape is None else text.replace(f'{form.escape}"', '""')).encode()
