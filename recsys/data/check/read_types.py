"""Values that the type cannot hold as which a column is read: they are null, and the raw ones stand beside them."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from recsys.schema.raw import ASIDE, Check, Dtypes, Rule
from recsys.source.base import RAW
from recsys.source.values import TYPES


def rule_checks(rule: Rule, dtypes: Dtypes) -> Iterator[Check]:
    """Checks of a rule, which leave such values to a check of their own, the first."""
    column = rule.column
    if RAW + column not in dtypes:
        yield from rule.checks(dtypes)
        return
    unread = unread_rows(column)
    yield Check(column, *unread_words(column, dtypes), pl.col(RAW + column))
    yield from (replace(check, bad=check.bad & ~unread) for check in rule.checks(dtypes))


def unread_rows(column: str) -> pl.Expr:
    """Whether a column that stands beside its raw one lacks a value that is there."""
    return pl.col(RAW + column).is_not_null() & pl.col(column).is_null()


def unread_words(column: str, dtypes: Dtypes) -> tuple[str, pl.Expr, str]:
    """Fault, rows and remedy of a check."""
    name = next((name for name, dtype in TYPES.items() if dtype == dtypes[column]), str(dtypes[column]))
    if dtypes[RAW + column].is_float() and name == "int64":
        remedy = "export the ids as Int64 or String from where they come: the float has lost them"
        return "float id that is no exact integer", unread_rows(column), f"{remedy}, {ASIDE}"
    remedy = f"correct it, set data.source.types.{column}=string, or add it to data.source.nulls if it means a missing value"
    return f"value that is no {name}", unread_rows(column), f"{remedy}, {ASIDE}"
