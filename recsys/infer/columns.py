"""Columns of raw tables: facts of each (type, distinct and missing values, extremes), and the feature kind that it seems to be of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from recsys.infer.names import CLOCK_WORDS, words
from recsys.schema import TimeUnit
from recsys.schema.kind.timestamp import DIGITS, PLAUSIBLE_S, UNITS, epoch_us, within
from recsys.schema.raw import FLOAT32_STEPS, as_lists
from recsys.source.values import BRACKETS, split_list

SAMPLE_ROWS = 1_000_000
"""Rows from the top of a table whose values are read; missing values and extremes are counted over all rows."""
MAX_CODES = 50
"""Integers with at most this many distinct values are codes, unless their name says that they measure something."""
MAX_LISTED = 50
"""Longest `max_len` guessed for a list."""
LONG_CHARS = 40
"""Texts that are longer on average are prose, not names of categories."""
SEPARATORS = ("|", ";", ",")
BRACKETED = r"^[\[(].*[\])]$"
"""Texts that are lists as Python and JSON write them."""
ROW_NUMBERS = r"^(|Unnamed: \d+|__index_level_\d+__|index|level_\d+)$"
"""Names under which pandas writes the number of a row."""
ID_WORDS = {"id", "uid", "uuid", "guid", "key", "hash", "sku", "asin", "isbn"}
CODE_WORDS = {"code", "type", "category", "cat", "class", "group", "kind", "segment", "cluster", "zip", "postcode", "status", "level"}
AMOUNT_WORDS = {"price", "amount", "count", "num", "number", "age", "year", "score", "rate", "qty", "quantity", "duration", "size", "total"}
TEXT_WORDS = {"title", "name", "description", "text", "url", "image", "email", "phone", "comment", "review", "body", "summary", "address"}


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    dtype: pl.DataType
    rows: int  # of the whole table
    nulls: int  # of the whole table
    sample: pl.Series  # values of the first SAMPLE_ROWS rows, nulls dropped
    distinct: int  # different values in `sample`; 0 for lists and structs, where they are not counted
    low: Any  # least value of all rows; None where values are no numbers or moments
    high: Any  # greatest, likewise
    not_finite: int  # NaN and infinite values of all rows
    binary: bool  # bool, or a number that is 0 or 1 in every row

    @property
    def type_name(self) -> str:
        """Type in plain words, such as "int64" or "list of string"."""
        inner = f" of {self.dtype.inner.base_type().__name__.lower()}" if isinstance(self.dtype, pl.List | pl.Array) else ""
        return self.dtype.base_type().__name__.lower() + inner

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows" if self.rows <= SAMPLE_ROWS else f"the first {SAMPLE_ROWS:,} rows"
        distinct = "" if self.dtype.is_nested() else f", {self.distinct:,} distinct of {rows}"
        return f"{self.type_name}{distinct}" + (f", {self.nulls:,} missing" if self.nulls else "")


def table_columns(table: pl.LazyFrame) -> dict[str, Column]:
    """Every column of a table, by name: one pass over all rows, and the values of the first SAMPLE_ROWS.

    A PolarsError or an OSError says that the files cannot be read.
    """
    table = table.select(pl.exclude(r"^__(file|row|raw .*)$"))
    schema = table.collect_schema()
    counts = {("rows", ""): pl.len()}
    for name, dtype in schema.items():
        column = pl.col(name)
        counts["nulls", name] = column.null_count()
        if dtype.is_numeric() or dtype.is_temporal():
            counts["low", name], counts["high", name] = column.min(), column.max()
        if dtype.is_numeric():
            counts["binary", name] = ((column == 0) | (column == 1)).all()
        if dtype.is_float():
            counts["not_finite", name] = (~column.is_finite()).sum()
    row = table.select(expression.alias(repr(key)) for key, expression in counts.items()).collect(engine="streaming").row(0)
    facts = dict(zip(counts, row))
    sample = table.head(SAMPLE_ROWS).collect(engine="streaming")
    return {name: _column(sample[name], facts, name) for name in schema.names()}


def _column(values: pl.Series, facts: dict[tuple[str, str], Any], name: str) -> Column:
    present = values.drop_nulls()
    return Column(
        name=name,
        dtype=values.dtype,
        rows=facts["rows", ""],
        nulls=facts["nulls", name],
        sample=present,
        distinct=0 if values.dtype.is_nested() else present.n_unique(),
        low=facts.get(("low", name)),
        high=facts.get(("high", name)),
        not_finite=facts.get(("not_finite", name), 0),
        binary=values.dtype == pl.Boolean or facts.get(("binary", name), False),
    )


def number_unit(column: Column, until_s: float = PLAUSIBLE_S[1]) -> TimeUnit | None:
    """Unit in which all numbers of a column are moments from 1985 on, judged by the whole column; None where there is none."""
    if not column.dtype.is_numeric() or column.low is None:
        return None
    ends = pl.DataFrame({"end": [column.low, column.high]}, strict=False)
    for unit in UNITS:
        moments = epoch_us(pl.col("end"), ends.schema["end"], unit)
        good = ends.select((within(pl.col("end"), unit, PLAUSIBLE_S) & (moments <= until_s * 1_000_000)).all()).item()
        if good and (unit not in DIGITS or _all_within(column, unit)):
            return unit
    return None


def _all_within(column: Column, unit: TimeUnit) -> bool:
    return bool(column.sample.to_frame("number").select(within(pl.col("number"), unit, PLAUSIBLE_S).all()).item())


def _is_row_number(column: Column) -> bool:
    """Whether a column counts the rows from 0, or, after pandas has sorted or filtered them, names each by another number."""
    return column.dtype.is_integer() and not column.nulls and column.distinct == len(column.sample) and column.low >= 0


def number(aggregate: Any) -> float:
    """An aggregate of a column of numbers, whose type Polars leaves open."""
    return float(aggregate)


@dataclass(frozen=True)
class Guess:
    """The kind that a column seems to be of."""

    why: str  # type, numbers and reason, in one line
    kind: str | None = None  # a class of `recsys.schema`; None = the column is left out
    options: Mapping[str, object] = field(default_factory=dict)  # arguments of that class besides column and entity
    separator: str | None = None  # what separates the values of a text that is a list; None = it is none


def guess(column: Column) -> Guess:
    """Guess the kind of one column; `why` always begins with its type and numbers."""
    dtype = column.dtype
    if not len(column.sample):
        return Guess(f"{column}: no values")
    if re.match(ROW_NUMBERS, column.name) and _is_row_number(column):
        return Guess(f"{column}: the number of the row, as pandas writes it")
    if not column.name:
        return Guess(f"{column}: has no name")
    if dtype in (pl.List, pl.Array):
        return _list(column)
    if column.distinct == 1 and column.nulls == 0:
        return Guess(f"{column}: tells nothing")
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return _text(column)
    if dtype == pl.Boolean:
        return Guess(f"{column}: Categorical", "Categorical")
    if dtype.is_integer():
        return _integer(column)
    if dtype.is_numeric():
        return _number(column, f"{column}")
    if dtype in (pl.Date, pl.Datetime):
        return Guess(f"{column}: no Timestamp while values are missing") if column.nulls else Guess(f"{column}: Timestamp", "Timestamp")
    return Guess(f"{column}: no kind of feature has this type")


def _text(column: Column) -> Guess:
    texts = column.sample.cast(pl.String)
    separator = _separator(texts, column.distinct)
    if separator is not None:
        lists = texts.to_frame("text").select(split_list(pl.col("text"), separator)).to_series()
        return Guess(f"{column}, values separated by '{separator}': MultiCategorical", "MultiCategorical", _max_len(lists), separator)
    length = number(texts.str.len_chars().mean())
    if length > LONG_CHARS:
        return Guess(f"{column}, {length:.0f} characters on average: text")
    if TEXT_WORDS & set(words(column.name)) and column.distinct > MAX_CODES:
        return Guess(f"{column}: text by its name")
    if 2 * column.distinct > len(texts) and column.distinct > MAX_CODES:
        return Guess(f"{column}: mostly one value per row; a Categorical with buckets could take it")
    return Guess(f"{column}: Categorical", "Categorical")


def _separator(texts: pl.Series, distinct: int) -> str | None:
    """The character that separates the values of lists: in a third of the texts or more, between short values that come back often."""
    if texts.str.contains(BRACKETED).all():
        return BRACKETS
    for separator in SEPARATORS:
        values = texts.str.split(separator).explode()
        if (
            number(texts.str.contains(separator, literal=True).mean()) >= 1 / 3
            and values.n_unique() < len(values) / 2
            and (separator == "|" or values.n_unique() < distinct)  # ";" and "," also stand in plain text
            and number(values.str.len_chars().max()) <= LONG_CHARS
        ):
            return separator
    return None


def _list(column: Column) -> Guess:
    lists = as_lists(column.sample)
    inner, lengths = lists.explode().dtype, lists.list.len()
    if not number(lengths.max()):
        return Guess(f"{column}: no values")
    if inner == pl.UInt64 and number(lists.list.max().max()) > 2**63 - 1:
        return Guess(f"{column}: integers beyond int64")
    if lists.list.drop_nulls().list.len().sum() < lengths.sum():
        return Guess(f"{column}: values are missing inside lists")
    if inner.is_float():
        if column.nulls == 0 and lengths.n_unique() == 1 and lists.explode().is_finite().all():
            return Guess(f"{column}, all of length {number(lengths[0]):.0f}: Vector", "Vector")
        return Guess(f"{column}: numbers, but not of one length in all rows")
    if inner.is_integer() or inner in (pl.String, pl.Boolean):
        return Guess(f"{column}, up to {number(lengths.max()):.0f} values: MultiCategorical", "MultiCategorical", _max_len(lists))
    return Guess(f"{column}: no kind of feature has this type")


def _max_len(lists: pl.Series) -> dict[str, int]:
    return {"max_len": min(max(int(number(lists.list.len().max())), 1), MAX_LISTED)}


def _integer(column: Column) -> Guess:
    name = words(column.name)
    unit = number_unit(column) if CLOCK_WORDS & set(name) else None
    if unit is not None and not column.nulls:
        return Guess(f"{column}, moments in {unit}: Timestamp", "Timestamp", {"unit": unit})
    few = column.distinct <= min(MAX_CODES, column.rows / 5) or column.binary
    measures = AMOUNT_WORDS & set(name) and column.distinct > 20
    if ID_WORDS & set(name[-1:]) and 2 * column.distinct > len(column.sample):
        return Guess(f"{column}: mostly one id per row; a Categorical with buckets could take it")
    if (ID_WORDS | CODE_WORDS) & set(name):
        return Guess(f"{column}, a code by its name: Categorical", "Categorical")
    if few and not measures:
        return Guess(f"{column}: Categorical", "Categorical")
    return _number(column, f"{column}, {'few' if few else 'many'} values" + (", measures something by its name" if measures else ""))


def _number(column: Column, numbers: str) -> Guess:
    if column.not_finite:
        return Guess(f"{numbers}: {column.not_finite:,} are NaN or infinite; write them as missing to use it")
    spread = number(column.sample.cast(pl.Float64).std() or 0.0)
    if 0 < spread < FLOAT32_STEPS * max(abs(column.low), abs(column.high)):
        reason = "its values are one number to a model, which reads float32; write them from a nearer zero, or as a Timestamp with its unit"
        return Guess(f"{numbers}: {reason}")
    middle = number(column.sample.cast(pl.Float64).median())
    options: dict[str, object] = {}
    why = f"{numbers}: Numeric"
    if column.low >= 0 and column.high > max(20 * middle, 20):
        options["log"] = True
        why += f", log because {column.high:,.6g} is far above the median {middle:,.6g}"
    if column.nulls:
        options["fill"] = middle
        why += ", missing values become the median"
    return Guess(why, "Numeric", options)
