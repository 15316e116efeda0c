"""What is wrong with columns before any row is looked at: missing, of the wrong type, or of several types across files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from recsys.data.check.key_rules import IdRule, LabelRule, TimeRule
from recsys.errors import DataError, Fault, listed
from recsys.schema import Entity, Schema, nearest
from recsys.schema.rule import Dtypes, Rule
from recsys.source.base import FILE, ROW

ENTITY: dict[str, Entity] = {"users": "user", "items": "item"}
"""{table: whose features stand in it}."""


def table_rules(schema: Schema, table: str, tables: Iterable[str], now_us: int) -> list[Rule]:
    """The rules of the columns that the schema reads from one table.

    Args:
        table: "interactions", "users" or "items".
        tables: names of all tables there are; features of a missing users or items table are read from the interactions.
        now_us: microseconds since 1970 UTC; later interactions are faults.
    """
    unique = table != "interactions"
    ids = {"users": (schema.user, "user id", "data.user"), "items": (schema.item, "item id", "data.item")}
    keys = {name: IdRule(column, *why, unique) for name, (column, *why) in ids.items() if column is not None}
    if table != "interactions":
        if table not in keys:
            key = ids[table][-1]
            raise DataError(Fault(f"a table of {table}, and {key} is null", f"data.source.{table}", f"name its key in {key}"))
        return [keys[table], *_feature_rules(schema, ENTITY[table])]
    rules: list[Rule] = list(keys.values())
    if schema.time is not None:
        rules.append(TimeRule(schema.time, "time", "data.time", schema.time_unit, now_us))
    rules += [LabelRule(label.column, "label", "data.labels", label) for label in schema.labels]
    if schema.session is not None:
        rules.append(IdRule(schema.session, "session", "data.session", unique=False))
    return rules + _feature_rules(schema, "context", "bias", *(entity for name, entity in ENTITY.items() if name not in tables))


def _feature_rules(schema: Schema, *entities: Entity) -> list[Rule]:
    covered = {schema.user, schema.item}
    if schema.time_unit != "rank":  # a Timestamp feature of a rank has no calendar: its own rule says so
        covered.add(schema.time)
    rules = [feature.rule(schema.time_unit) for feature in schema.of(*entities) if feature.column not in covered]
    return [rule for rule in rules if rule is not None]


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
    datetimes = [dtype for dtype in holders if dtype == pl.Datetime]
    if len({dtype.time_zone is None for dtype in datetimes}) == 2:
        remedy = f"rewrite the files without a zone with pl.col('{rule.column}').dt.replace_time_zone('UTC') (their zone)"
        return Fault(f"time '{rule.column}' has a time zone in some files and none in others: {types}", f"column '{rule.column}'", remedy)
    cast = f"pl.col('{rule.column}').cast(pl.{next(iter(holders))!r})"
    remedy = f"bring all to one type: set data.source.types.{rule.column}, or rewrite files with {cast}"
    return Fault(f"{rule.needed_by} '{rule.column}' has {len(holders)} types: {types}", f"column '{rule.column}'", remedy)
