"""Refuse raw tables that break the schema, with all faults together, or set their bad rows aside, before anything is prepared."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl

from recsys.data.check.between_tables import id_findings, since_findings, table_pairs
from recsys.data.check.column_rules import LabelRule, table_rules
from recsys.data.check.row_faults import write_aside
from recsys.data.check.table_check import CheckedTable, check_table
from recsys.errors import DataError, Fault, listed
from recsys.schema import Schema
from recsys.schema.raw import Check, Dtypes, Rule
from recsys.source.base import FILE, ROW, Tables


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
        tables: raw tables; files are checked one by one as far as `tables.files` and `tables.parts` name them.
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
        name: check_table(name, frame, rules[name], files=tables.files.get(name, ()), parts=tables.parts.get(name, ()))
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
    notes += [*_checksum_note(checked.values()), *(finding for finding in ids if isinstance(finding, str))]
    notes += [_set_aside(table, quarantine / f"{name}.parquet") for name, table in checked.items() if table.counts.broken]
    sound = {name: table.sound() for name, table in checked.items()}
    interactions = _clip_labels(sound["interactions"], rules["interactions"], checked["interactions"].dtypes)
    return Validated(replace(tables, interactions=interactions, users=sound.get("users"), items=sound.get("items")), tuple(notes))


def _notes(table: CheckedTable, rules: Sequence[Rule], schema: Schema) -> Iterator[str]:
    read = {rule.column for rule in rules} | {schema.user, schema.item, schema.time, schema.session, FILE, ROW}
    others = [column for column in table.dtypes if column not in read]
    if others:
        yield f"{table.name}: columns in no feature, label or key: {listed(others, 20)}"
    yield from (f"{table.name}: {note}" for note in table.counts.notes)


def _clip_labels(frame: pl.LazyFrame, rules: Sequence[Rule], dtypes: Dtypes) -> pl.LazyFrame:
    """Labels with 0 where their policy asks for it, each seeing those before it as clipped."""
    for rule in rules:
        clip = rule.clip_expression(dtypes) if isinstance(rule, LabelRule) else None
        frame = frame if clip is None else frame.with_columns(clip)
    return frame


def _checksum_note(tables: Iterable[CheckedTable]) -> Iterator[str]:
    files = [file for table in tables for file in table.unsummed]
    if files:
        remedy = "pyarrow adds checksums with write_page_checksum=True"
        yield f"parquet files without page checksums, in which a flipped bit goes unnoticed: {listed(files, 3)}; {remedy}"


def _set_aside(table: CheckedTable, path: Path) -> str:
    """Write the faulty rows to a file; the sentence that says so."""
    counts = table.counts
    write_aside(table.frame, [check for check, _ in counts.broken], path)
    reasons = ", ".join(f"{number:,} {check.what} in '{check.column}'" for check, number in counts.broken)
    return f"{table.name}: {counts.bad_rows:,} of {counts.rows:,} rows ({counts.bad_rows / counts.rows:.2%}) set aside in {path}: {reasons}"
