"""Faults of columns, before any row is read: missing, of the wrong type, or of several types across files."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from recsys.errors import Fault, listed
from recsys.schema import nearest
from recsys.schema.rule import Dtypes, Rule
from recsys.source.base import FILE, ROW


def missing_faults(rules: Sequence[Rule], table: str, files: Mapping[str, Dtypes]) -> Iterator[Fault]:
    """One fault per column that a rule needs and some file lacks.

    Args:
        files: {file: types of its columns}; {table: types} where the files are not known.
    """
    for rule in rules:
        lacking = [file for file, dtypes in files.items() if rule.column not in dtypes]
        if lacking:
            columns = sorted({column for file in lacking for column in files[file]} - {FILE, ROW})
            what = f"no column '{rule.column}'{nearest(rule.column, columns)}"
            where = f"{_where(lacking, table)}; needed as {rule.needed_by} ({rule.key})"
            yield Fault(
                what, where, f"change {rule.key} to a column of the file, or rename one to '{rule.column}'; there are {listed(columns, 20)}"
            )


def type_faults(rules: Sequence[Rule], table: str, files: Mapping[str, Dtypes]) -> Iterator[Fault]:
    """One fault per column whose type differs between files, or is not what its rule takes."""
    for rule in rules:
        holders: dict[pl.DataType, list[str]] = {}
        for file, dtypes in files.items():
            if rule.column in dtypes:
                holders.setdefault(dtypes[rule.column], []).append(file)
        if len(holders) > 1:
            yield _differing(rule, holders)
            continue
        for dtype, names in holders.items():
            remedy = rule.type_remedy(dtype)
            if remedy is not None:
                yield Fault(f"{rule.needed_by} '{rule.column}' is {dtype}", f"{_where(names, table)}, column '{rule.column}'", remedy)


def differing_columns(files: Mapping[str, Dtypes]) -> set[str]:
    """Columns that have more than one type across files."""
    seen: dict[str, set[pl.DataType]] = {}
    for dtypes in files.values():
        for column, dtype in dtypes.items():
            seen.setdefault(column, set()).add(dtype)
    return {column for column, types in seen.items() if len(types) > 1}


def _where(names: Sequence[str], table: str) -> str:
    return table if list(names) == [table] else f"{listed(names)}, table {table}"


def _differing(rule: Rule, holders: Mapping[pl.DataType, Sequence[str]]) -> Fault:
    types = "; ".join(f"{dtype} in {listed(files)}" for dtype, files in holders.items())
    if {dtype.time_zone is None for dtype in holders if isinstance(dtype, pl.Datetime)} == {True, False}:
        remedy = f"rewrite the files without a zone with pl.col('{rule.column}').dt.replace_time_zone('UTC') (their zone)"
        return Fault(f"time '{rule.column}' has a time zone in some files and none in others: {types}", f"column '{rule.column}'", remedy)
    cast = f"pl.col('{rule.column}').cast(pl.{next(iter(holders))!r})"
    remedy = f"bring all to one type: set data.source.types.{rule.column}, or rewrite files with {cast}"
    return Fault(f"{rule.needed_by} '{rule.column}' has {len(holders)} types: {types}", f"column '{rule.column}'", remedy)
