"""Read strange tables: what cannot be guessed of files and texts is asked, with the option that answers."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from recsys.data.check.file_faults import inspect
from recsys.errors import DataError, Fault, name_list
from recsys.infer.names import BEHAVIOUR_WORDS, PART_WORDS, words
from recsys.source.base import RAW, SUFFIXES, find_files
from recsys.source.moments import ambiguous, moment_formats
from recsys.source.text_files import TEXT_SUFFIXES, TextForm, separator_of
from recsys.source.values import DECIMAL, INTEGER, text_type

SEPARATORS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 20
HEAD_LINES = 50
NULL_TEXTS = ("\\N", "NULL", "null", "(null)", "NaN", "nan", "<NA>", "#N/A")
"""Texts that are hardly ever values."""
MAX_STRAYS = 3
"""Different texts among numbers that are asked about; more are no missing values."""
UNITS = r"^(?:[€$£¥]\s*-?[\d.,]+|-?[\d.,]+\s*[€$£¥%]|-?\d{1,3}(?:,\d{3})+\.\d+)$"
"""Numbers with a currency or per cent, or with commas between groups of digits."""


@dataclass
class Answers:
    """What the reader said of files and texts, and what was guessed of them: arguments of `TableFiles`."""

    separator: str | None = None
    columns: list[str] = field(default_factory=list)
    encoding: str = "utf-8"
    escape: str | None = None
    decimal: str | None = None
    nulls: list[str] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[Any, int]] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """Arguments of `TableFiles` besides paths and lists."""
        of_form = {"separator": self.separator, "encoding": self.encoding, "escape": self.escape, "decimal": self.decimal or "."}
        named = {"types": self.types, "formats": self.formats, "values": self.values}
        return {**named, **of_form, "header": not self.columns, "columns": self.columns, "nulls": self.nulls}


def files_of(pattern: str) -> tuple[Path, ...]:
    """Files of a table; a DataError where there is none, or one that cannot be read."""
    files, faults = find_files(Path(pattern).expanduser(), "the path")
    foreign = [file for file in files if not file.name.endswith(SUFFIXES)]
    faults += tuple(Fault("the file cannot be read", str(file), f"use files ending in {', '.join(SUFFIXES)}") for file in foreign)
    if faults:
        raise DataError(*faults)
    return files


def parts_of(files: Sequence[Path]) -> dict[str, list[Path]]:
    """{"train" | "val" | "test": files} where names say it of each, else {}; a DataError where names speak of more than one behaviour."""
    behaviours: dict[str, list[str]] = {}
    for file in files:
        named = sorted({word.rstrip("s") for word in words(file.name.split(".")[0])} & BEHAVIOUR_WORDS)
        behaviours.setdefault(" ".join(named), []).append(file.name)
    if len(behaviours) > 1 and len(files) > 1:
        what = "; ".join(f"{behaviour or 'no word'}: {name_list(names, 3)}" for behaviour, names in behaviours.items())
        remedy = "give the files of one behaviour, or write all into one table with a column that says which: --label COLUMN=VALUE"
        raise DataError(Fault(f"names of files speak of {len(behaviours)} behaviours ({what})", str(files[0].parent), remedy))
    parts: dict[str, list[Path]] = {}
    for file in files:
        named = [PART_WORDS[word] for word in words(file.name.split(".")[0]) if word in PART_WORDS]
        parts.setdefault(named[0] if len(set(named)) == 1 else "", []).append(file)
    if not {"train", "test"} <= set(parts):
        return {}
    if "" in parts:
        what = f"some files are named after a part of the split, and {name_list([file.name for file in parts['']], 3)} after none"
        raise DataError(Fault(what, str(files[0].parent), "give a folder or glob of train, validation and test files alone"))
    return parts


def guess_form(answers: Answers, tables: Mapping[str, Sequence[Path]]) -> None:
    """Guess the form of text files from their first lines; a DataError asks where that cannot be."""
    found: dict[str, str] = {}
    for number, (table, files) in enumerate(tables.items()):
        for file in [file for file in files if file.name.endswith(TEXT_SUFFIXES)][:1]:
            head = _head(file)
            if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
                answers.encoding = "utf-16"
            if faults := inspect(file, [], answers.encoding).faults:
                raise DataError(*faults)
            text = head.decode(answers.encoding, errors="ignore")
            if answers.escape is None and '\\"' in text:
                answers.escape = "\\"
            default = separator_of(file, TextForm())
            separator = answers.separator or _separator(text, default, answers.escape)
            if separator != default:
                found[table] = separator
            first = [name.strip() for name in next(csv.reader(text.splitlines()[:1], delimiter=separator), [])]
            if (number or not answers.columns) and _is_data(first):
                remedy = (
                    f"say --columns with {len(first)} names, as in --columns user_id,item_id,..." if not number else "add a header line"
                )
                raise DataError(Fault(f"the first line looks like data: {name_list(first)}", str(file), remedy))
    if len(set(found.values())) > 1:
        what = ", ".join(f"'{separator}'" for separator in found.values())
        raise DataError(Fault(f"tables have different separators: {what}", ", ".join(found), "write one of them with the other's"))
    answers.separator = answers.separator or next(iter(found.values()), None)


def _head(file: Path) -> bytes:
    with gzip.open(file) if file.name.endswith(".gz") else file.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _separator(text: str, default: str, escape: str | None) -> str:
    """The separator that cuts the first lines into the most fields, as many in each."""
    lines = text.splitlines()[:HEAD_LINES]
    widths = {}
    for separator in (default, *SEPARATORS):
        counts = {len(row) for row in csv.reader(lines, delimiter=separator, escapechar=escape) if row}
        widths[separator] = min(counts) if len(counts) == 1 else 1
    return max(widths, key=lambda separator: (widths[separator], separator == default))


def _is_data(fields: Sequence[str]) -> bool:
    texts = pl.Series([name for name in fields if name], dtype=pl.String)
    return any(text_type(texts[place : place + 1]) in ("int64", "float64", "datetime") for place in range(len(texts)))


def ask_about_texts(answers: Answers, table: str, frame: pl.LazyFrame, rows: int) -> None:
    """Note types, formats and the decimal mark of one table's texts; a DataError asks what cannot be guessed."""
    faults = []
    columns = [name for name in frame.collect_schema().names() if not name.startswith("__")]
    for column in columns:
        raw = RAW + column if RAW + column in frame.collect_schema() else column
        if frame.collect_schema()[raw] != pl.String or column in answers.values:
            continue
        sample = frame.select(raw).head(rows).collect().to_series().drop_nulls()
        if column in answers.types or not len(sample):
            continue
        typed = frame.collect_schema()[column]
        if typed == pl.String:
            faults += list(_strays(column, sample, answers))
        elif typed == pl.Datetime:
            faults += list(_formats(column, sample, answers))
        unread = frame.filter(pl.col(raw).is_not_null() & pl.col(column).is_null()).select(raw).collect().to_series()
        if len(unread):
            if unread.str.contains(r"^-?\d+$").all():
                answers.types[column] = "string"  # 007 after many plain numbers
            else:
                faults += list(_strays(column, pl.concat([sample, unread]), answers)) or [_stray_fault(column, unread)]
    if faults:
        raise DataError(*(Fault(fault.what, f"{table}, {fault.where}", fault.remedy) for fault in faults))


def _formats(column: str, texts: pl.Series, answers: Answers) -> Iterator[Fault]:
    formats = moment_formats(texts)
    if column in answers.formats or not formats:
        return
    if ambiguous(texts, formats):
        what = f"'{texts[0]}' is one day as {formats[0]} and another as {next(form for form in formats if form != formats[0])}"
        yield Fault(what, f"column '{column}'", f"say --format {column}='{formats[0]}' or another")
    else:
        answers.types[column], answers.formats[column] = "datetime", formats[0]


def _strays(column: str, texts: pl.Series, answers: Answers) -> Iterator[Fault]:
    """Texts among numbers, texts that mean nothing, numbers with units, decimal commas."""
    counts = texts.value_counts(sort=True)
    values, rows = counts[texts.name], counts["count"]
    plain = values.str.contains(f"{INTEGER}|{DECIMAL['.']}|{DECIMAL[',']}")
    null_texts = values.is_in(list(NULL_TEXTS))
    share = rows.filter(plain).sum() / len(texts)
    if null_texts.any() or (share >= 0.5 and 0 < (~plain).sum() <= MAX_STRAYS):
        yield _stray_fault(column, texts.filter(texts.is_in(values.filter(null_texts if null_texts.any() else ~plain).implode())))
    elif values.str.contains(UNITS).any() and values.str.contains(f"{UNITS}|{DECIMAL['.']}|{DECIMAL[',']}").all():
        example = values.filter(values.str.contains(UNITS))[0]
        remedy = f"write the numbers alone, or say --type {column}=string"
        yield Fault(f"numbers in other words, such as '{example}'", f"column '{column}'", remedy)
    elif (
        answers.decimal is None
        and plain.all()
        and values.str.contains(",", literal=True).any()
        and not values.str.contains(r"^-?0\d").any()
    ):
        yield from _decimal_comma(column, values, answers)


def _decimal_comma(column: str, values: pl.Series, answers: Answers) -> Iterator[Fault]:
    places = values.str.extract(r",(\d+)$").drop_nulls().str.len_chars().unique().to_list()
    if len(places) == 1 and places[0] != 3 and values.str.contains(DECIMAL[","]).all():
        answers.decimal = ","
        return
    example = values.filter(values.str.contains(",", literal=True))[0]
    remedy = f"say --decimal , or, where it separates the values of a list or groups of digits, --type {column}=string"
    yield Fault(f"'{example}' is a number with a decimal comma, or something else", f"column '{column}'", remedy)


def _stray_fault(column: str, strays: pl.Series) -> Fault:
    counts = strays.value_counts(sort=True)
    named = [f"'{text}' in {count:,} rows" for text, count in counts.iter_rows()]
    options = " ".join(f"--null '{text}'" for text in counts[strays.name][:MAX_STRAYS])
    what = f"texts among other values: {name_list(named, MAX_STRAYS)}"
    return Fault(what, f"column '{column}'", f"say {options} where that means a missing value, else --type {column}=string")


def key_faults(frames: Iterable[tuple[str, pl.LazyFrame]]) -> Iterator[Fault]:
    """Binary columns that could be texts."""
    for table, frame in frames:
        for column, dtype in frame.collect_schema().items():
            if dtype == pl.Binary and not column.startswith("__") and set(words(column)) & {"id", "key", "code"}:
                yield Fault(f"column '{column}' is binary", table, f"say --type {column}=string where its bytes are text in UTF-8")
