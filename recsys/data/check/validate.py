"""Refuse raw tables that break the schema, with all faults together, or set their bad rows aside, before anything is prepared."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl

from recsys.data.check.column_rules import LabelRule, table_rules
from recsys.data.check.table_check import CheckedTable, check_table, write_aside
from recsys.errors import DataError, Fault, name_list
from recsys.schema import Schema, TimeUnit
from recsys.schema.kind.timestamp import DAY_US, Timestamp, epoch_us, microseconds
from recsys.schema.raw import ASIDE, Check, Dtypes, Rule, raw_type
from recsys.source.base import FILE, RAW, ROW, Tables

MAX_MISSING_SHARE = 0.5
"""With more ids than this without a row in their own table, the two tables do not belong together."""
EXAMPLES = 5
"""Ids that a sentence names."""


@dataclass(frozen=True)
class Validated:
    """Tables that keep every rule of the schema, nothing read yet, and sentences with counts on what is no fault.

    The tables lack the rows set aside, and columns that nobody reads where their types did not agree.
    """

    tables: Tables
    notes: tuple[str, ...]


def validate(
    tables: Tables, schema: Schema, *, bad_rows: Literal["fail", "quarantine"], quarantine: Path, max_unknown_share: float
) -> Validated:
    """Check every file, column and row that the schema reads.

    Args:
        bad_rows: "fail" counts faulty rows among the faults; "quarantine" leaves them out and writes them aside, as long as one good
            row remains. Faults of files and columns always fail.
        quarantine: folder for the rows set aside, `<table>.parquet`, with column `fault` saying what is wrong with each row.
        max_unknown_share: share of ids without a row in the users or items table above which the note on them is a warning.
    Raises:
        DataError: with all faults; then nothing has been written.
    """
    named = (("interactions", tables.interactions), ("users", tables.users), ("items", tables.items))
    frames = {name: frame for name, frame in named if frame is not None}
    now_us = time.time_ns() // 1_000
    rules = {name: table_rules(schema, name, frames, now_us) for name in frames}
    checked = {
        name: check_table(
            name,
            frame,
            rules[name],
            files=tables.files.get(name, ()),
            parts=tables.parts.get(name, ()),
            encoding=tables.encoding,
        )
        for name, frame in frames.items()
    }
    pairs = list(table_pairs(checked, schema))
    ids = [finding for pair in pairs for finding in id_findings(*pair, max_unknown_share)]
    since = [finding for pair in pairs for finding in since_findings(*pair, schema)]
    checked["interactions"] = checked["interactions"].with_checks([check for check in since if isinstance(check, Check)])
    faults = [fault for table in checked.values() for fault in table.faults]
    faults += [finding for finding in (*ids, *since) if isinstance(finding, Fault)]
    for table in checked.values():
        if bad_rows == "fail" or table.counts.bad_rows == table.counts.rows:
            faults += table.row_faults()
    if faults:
        raise DataError(*faults)
    notes = [note for name, table in checked.items() for note in _notes(table, rules[name], schema)]
    unsummed = [file for table in checked.values() for file in table.unsummed]
    if unsummed:
        what = "parquet files without page checksums, in which a flipped bit goes unnoticed"
        notes.append(f"{what}: {name_list(unsummed, 3)}; pyarrow adds checksums with write_page_checksum=True")
    notes += [finding for finding in ids if isinstance(finding, str)]
    notes += [_set_aside(table, quarantine / f"{name}.parquet") for name, table in checked.items() if table.counts.broken]
    sound = {name: table.sound() for name, table in checked.items()}
    interactions = _clip_labels(sound["interactions"], rules["interactions"], checked["interactions"].dtypes)
    return Validated(replace(tables, interactions=interactions, users=sound.get("users"), items=sound.get("items")), tuple(notes))


def _notes(table: CheckedTable, rules: Sequence[Rule], schema: Schema) -> Iterator[str]:
    read = {rule.column for rule in rules} | {schema.user, schema.item, schema.time, schema.session, FILE, ROW}
    others = [column for column in table.dtypes if column not in read and not column.startswith(RAW)]
    if others:
        yield f"{table.name}: columns in no feature, label or key: {name_list(others, 20)}"
    yield from (f"{table.name}: {note}" for note in table.counts.notes)


def _clip_labels(frame: pl.LazyFrame, rules: Sequence[Rule], dtypes: Dtypes) -> pl.LazyFrame:
    """Labels with 0 where their policy asks for it, each seeing those before it as clipped."""
    for rule in rules:
        clip = rule.clip_expression(dtypes) if isinstance(rule, LabelRule) else None
        frame = frame if clip is None else frame.with_columns(clip)
    return frame


def _set_aside(table: CheckedTable, path: Path) -> str:
    """Write the faulty rows to a file; the sentence that says so."""
    counts = table.counts
    write_aside(table.frame, [check for check, _ in counts.broken], path)
    reasons = ", ".join(f"{number:,} {check.what} in '{check.column}'" for check, number in counts.broken)
    return f"{table.name}: {counts.bad_rows:,} of {counts.rows:,} rows ({counts.bad_rows / counts.rows:.2%}) set aside in {path}: {reasons}"


def table_pairs(checked: Mapping[str, CheckedTable], schema: Schema) -> Iterator[tuple[CheckedTable, CheckedTable, str]]:
    """The interactions, the users or the items, and the id column that both have."""
    for table, key in (("users", schema.user), ("items", schema.item)):
        if key is not None and table in checked and all(key in checked[name].dtypes for name in ("interactions", table)):
            yield checked["interactions"], checked[table], key


def id_findings(interactions: CheckedTable, entities: CheckedTable, key: str, max_unknown_share: float) -> Iterator[Fault | str]:
    """Faults and notes on ids of the interactions that have no row in the users or items table.

    Ids without one are kept, with unknown features, and counted in a note; above MAX_MISSING_SHARE they are a fault. A users or items table
    that was read in part says nothing of missing ids. Above a share of ids, max_unknown_share, the note is a warning.
    """
    if entities.faults:
        return
    table, left, right = entities.name, interactions.dtypes[key], entities.dtypes[key]
    where = f"tables interactions and {table}, column '{key}'"
    if raw_type(left) != raw_type(right):
        remedy = f"set data.source.types.{key}=string, or rewrite one table with pl.col('{key}').cast(pl.String)"
        yield Fault(f"id '{key}' is {left} in interactions and {right} in {table}", where, remedy)
        return
    ids = pl.col(key).cast(pl.Int64 if left.is_integer() else pl.String)
    total, missing, first = _missing_ids(interactions.frame, entities.frame, ids, key)
    if not missing:
        return
    examples = ", ".join(map(repr, first)) + (", ..." if missing > len(first) else "")
    what = f"{missing:,} of {total:,} ids '{key}' of interactions have no row in {table} ({missing / total:.1%}): {examples}"
    if missing > MAX_MISSING_SHARE * total:
        remedy = f"check that data.source.{table} belongs to data.source.interactions, or set data.source.{table}=null"
        yield Fault(what, where, remedy)
        return
    warning = f"warning, above data.max_unknown_share={max_unknown_share:g}: " if missing > max_unknown_share * total else ""
    yield f"{warning}{what}; their features are unknown"


def _missing_ids(interactions: pl.LazyFrame, entities: pl.LazyFrame, ids: pl.Expr, key: str) -> tuple[int, int, list]:
    """Distinct ids of the interactions, how many of them the entities lack, and the first few of these."""
    used = interactions.select(ids).drop_nulls().unique()
    known = entities.select(ids, known=True).drop_nulls().unique()
    lacking = pl.col(key).filter(pl.col("known").is_null())
    query = used.join(known, on=key, how="left").select(
        total=pl.len(), missing=lacking.len(), first=lacking.bottom_k(EXAMPLES).sort().implode()
    )
    return query.collect(engine="streaming").row(0)


def since_findings(interactions: CheckedTable, entities: CheckedTable, key: str, schema: Schema) -> Iterator[Fault | Check]:
    """Check of the interactions that are earlier than the row of their user or item; a Fault where that row's moment is none.

    Where the users or items table has a column of the name of the schema's time, that is the moment since which a row is known; null is
    always. A rank says nothing of it.
    """
    time = schema.time
    if schema.time_unit == "rank" or time is None or not all(time in table.dtypes for table in (interactions, entities)):
        return
    stamp, unit = Timestamp(time, "context"), schema.time_unit
    remedy = stamp.type_remedy(entities.dtypes[time], unit)
    if remedy is not None:
        what = f"time '{time}', the moment since which a row of {entities.name} is known, is {entities.dtypes[time]}"
        yield Fault(what, f"table {entities.name}, column '{time}'", f"{remedy}, or rename the column if it means another")
    elif stamp.type_remedy(interactions.dtypes[time], unit) is None and raw_type(interactions.dtypes[key]) == raw_type(
        entities.dtypes[key]
    ):
        yield _since_check(interactions, entities, key, time, unit)


def _since_check(interactions: CheckedTable, entities: CheckedTable, key: str, time: str, unit: TimeUnit) -> Check:
    """Check of the interactions before the moment in the sound row of the other table."""
    dtype = interactions.dtypes[time]
    id_type = pl.Int64 if interactions.dtypes[key].is_integer() else pl.String
    rows = entities.sound().select(pl.col(key).cast(id_type), time).drop_nulls().collect()
    since = microseconds(rows[time], unit)
    if dtype == pl.Date:
        since -= since % DAY_US  # a row that is known since noon is known on that day
    known = pl.col(key).cast(id_type).replace_strict(rows[key], pl.Series(since), default=None, return_dtype=pl.Int64)
    moment = epoch_us(pl.col(time), dtype, unit)
    dates = [column.cast(pl.Datetime("us")).dt.strftime("%F %T") for column in (moment, known)]
    return Check(
        time,
        f"interaction earlier than the '{time}' of its '{key}' in {entities.name}",
        moment < known,
        f"join features as they were then, rename '{time}' in {entities.name} if it is not since when a row is known, {ASIDE}",
        pl.format("{}: {} before {}", pl.col(key), *dates),
    )
