"""Guess which columns of the interactions are the user and the item, and which says the split, from names, types and values."""

from collections.abc import Collection, Iterable, Mapping

import polars as pl

from recsys.data.split import GIVEN
from recsys.errors import DataError, Fault
from recsys.infer.columns import Column
from recsys.infer.names import KEY_WORDS, LABEL_WORDS, words
from recsys.schema import nearest
from recsys.source.values import EXACT


def key_column(columns: Mapping[str, Column], role: str, hints: tuple[str, ...], given: str | None, taken: Collection[str]) -> str | None:
    """The id column of a role, "user" or "item"; None where the reader says that there is none.

    Args:
        hints: words that its name may hold, most telling first.
        given: what the reader says it is; "null" = there is none; None = guess.
        taken: columns that have another role.
    Raises:
        DataError: there is no such column, none whose name tells, or its numbers have lost their last digits.
    """
    if given == "null":
        return None
    key = named_column(given, columns, f"--{role}") if given is not None else _guessed_key(columns, role, hints, taken)
    column = columns[key]
    limit = EXACT.get(column.dtype)
    if limit is not None and not is_whole(column):
        raise DataError(Fault(f"float id that is no exact integer in '{key}'", f"--{role}", "name a column of integers or text"))
    if limit is not None and max(abs(column.low), abs(column.high)) > limit:
        what = f"float id that is no exact integer: '{key}' holds {column.high:.0f}, and {column.type_name} is exact up to {limit:,}"
        raise DataError(Fault(what, f"column '{key}'", "export the ids as Int64 or String from where they come: the float has lost them"))
    return key


def _guessed_key(columns: Mapping[str, Column], role: str, hints: tuple[str, ...], taken: Collection[str]) -> str:
    foreign = {name: [word for word in words(name) if word not in (*hints, *KEY_WORDS)] for name in columns}

    def doubt(name: str) -> tuple:
        name_words = words(name)
        return (
            len(foreign[name]),
            len(name_words) > 1 and name_words[-1] not in KEY_WORDS,
            min(hints.index(word) for word in name_words if word in hints),
        )

    named = [
        name
        for name, column in columns.items()
        if name not in taken
        and set(words(name)) & set(hints)
        and (words(name)[-1] in KEY_WORDS or foreign[name] in ([], ["name"]))  # user_feature_0 describes a user
        and _can_be_key(column)
    ]
    if not named:
        labelled = any(column.binary and column.distinct == 2 and set(words(name)) & set(LABEL_WORDS) for name, column in columns.items())
        lone = f"--{role} null where rows name none, as there are labels" if labelled else "--columns NAMES if the first line is data"
        raise DataError(
            Fault(f"no column looks like the id of the {role}", f"columns {', '.join(columns)}", f"name it: --{role} COLUMN; or say {lone}")
        )
    return min(named, key=doubt)


def named_column(given: str, columns: Iterable[str], where: str) -> str:
    if given not in columns:
        raise DataError(Fault(f"no column '{given}'{nearest(given, columns)}", where, f"use one of {', '.join(columns)}"))
    return given


def _can_be_key(column: Column) -> bool:
    return column.dtype == pl.String or ((column.dtype.is_integer() or is_whole(column)) and not column.binary)


def is_whole(column: Column) -> bool:
    """Whether a float column holds whole numbers only, as ids do where some are missing."""
    return column.dtype.is_float() and bool((column.sample == column.sample.floor()).all())


def split_column(columns: Mapping[str, Column]) -> str | None:
    """A text column that says train, validation or test of every row; None where there is none."""
    for name, column in columns.items():
        if column.dtype == pl.String and not column.nulls and column.distinct <= len(GIVEN):
            values = set(column.sample.unique())
            if values <= set(GIVEN) and {"train", "test"} <= values:
                return name
    return None
