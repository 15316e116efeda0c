"""Guess which columns of the interactions are labels, and which of their values is 1."""

from collections.abc import Collection, Mapping
from itertools import permutations

import polars as pl

from recsys.errors import DataError, Fault, name_list
from recsys.infer.columns import Column
from recsys.infer.names import LABEL_WORDS, words
from recsys.schema import Label, nearest
from recsys.source.values import SPOKEN, converted

MAX_LABEL_VALUES = 20
"""A column with more values is no label in other words."""


def label_values(columns: Mapping[str, Column], ones: Mapping[str, str | None], others: Collection[str]) -> dict[str, dict[object, int]]:
    """{column: {value: 0 or 1}} of the labels that are written in other words; a DataError asks which of two values is 1.

    Args:
        ones: {column: value that is 1, or None where it is 0 and 1 already}, as the reader says.
        others: columns that are no labels, as the reader says.
    """
    values: dict[str, dict[object, int]] = {}
    for name, column in columns.items():
        if name in ones:
            one = ones[name]
            if one is not None:
                values[name] = _values_of(column, one)
        elif name not in others and set(words(name)) & set(LABEL_WORDS) and column.distinct <= 2 and _is_odd(column):
            texts = sorted(map(str, column.sample.unique().to_list()))
            pair = {SPOKEN.get(text.lower()) for text in texts}
            if len(texts) == 2 and pair == {True, False} and column.dtype == pl.String:
                values[name] = {text: int(SPOKEN[text.lower()]) for text in texts}
                continue
            what = f"'{name}' has the name of something to predict, and its values are {', '.join(map(repr, texts))}"
            what += f" and {column.nulls:,} missing" if column.nulls else ""
            remedy = f"say --label {name}={texts[-1]} or another value that stands for 1, or --not-label {name}"
            raise DataError(Fault(what, f"column '{name}'", remedy))
    return values


def _is_odd(column: Column) -> bool:
    """Whether a column has two values, of which one may be missing, and they are not 0 and 1."""
    return (column.distinct == 2 and not column.binary) or (column.distinct == 1 and column.nulls > 0)


def _values_of(column: Column, one: str) -> dict[object, int]:
    texts = column.sample.unique().to_frame("value").select(converted(pl.col("value"), column.dtype, "string")).to_series().to_list()
    texts = [text.lower() if column.dtype == pl.Boolean else text for text in texts]
    if one not in texts or len(texts) > MAX_LABEL_VALUES:
        what = f"no value '{one}'{nearest(one, texts)}" if one not in texts else f"{len(texts):,} values"
        raise DataError(Fault(what, f"--label {column.name}={one}", f"name one of {name_list(sorted(texts), 10)}"))
    numbers: dict[object, int] = {text: int(text == one) for text in sorted(texts)}
    return numbers | ({None: 0} if len(texts) == 1 and column.nulls else {})


def label_columns(
    table: pl.LazyFrame, columns: Mapping[str, Column], taken: Collection[str], also: Collection[str] = ()
) -> tuple[Label, ...]:
    """0/1 columns with the name of something to predict, or `also` named by the reader, most frequent first.

    A label is `given` the rarest more frequent one without which it never is 1: a conversion is given the click.
    """
    named = [name for name in columns if name in also or (name not in taken and set(words(name)) & set(LABEL_WORDS))]
    names = [name for name in named if columns[name].binary and columns[name].distinct == 2]
    if not names:
        return ()
    ones = dict(zip(names, table.select(pl.col(name).cast(pl.Int64).sum() for name in names).collect(engine="streaming").row(0)))
    names.sort(key=ones.__getitem__, reverse=True)
    pairs = [(later, earlier) for later, earlier in permutations(names, 2) if ones[later] < ones[earlier]]
    broken = [((pl.col(later) == 1) & (pl.col(earlier) == 0)).sum().alias(str(pair)) for pair in pairs for later, earlier in [pair]]
    counts = table.select(pl.col(names).cast(pl.Int8)).select(broken).collect(engine="streaming").row(0) if pairs else ()
    implies = {pair for pair, count in zip(pairs, counts) if not count}
    given = {name: [other for other in names if (name, other) in implies] for name in names}
    return tuple(Label(name, others[-1] if others else None) for name, others in given.items())
