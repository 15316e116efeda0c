"""Interactions earlier than the row that describes their user or item: its features know the future."""

from collections.abc import Mapping

import polars as pl

from recsys.data.check.key_rules import DAY_US
from recsys.data.check.row_faults import without
from recsys.data.check.table_check import CheckedTable
from recsys.errors import Fault
from recsys.schema import Schema
from recsys.schema.kind.timestamp import TICKS_PER_S, US_PER_S, TimestampRule, microseconds
from recsys.schema.raw import is_date, raw_type
from recsys.schema.rule import ASIDE, Check


def since_findings(checked: Mapping[str, CheckedTable], schema: Schema) -> tuple[list[Fault], list[Check]]:
    """Faults of the users and items tables, and checks of the interactions.

    Where one of these tables has a column of the name of the schema's time, that is the moment since which a row is known; null is
    always. A rank says nothing of it.

    Args:
        checked: {table: what its own pass found}.
    """
    faults, checks = [], []
    for table, key in (("users", schema.user), ("items", schema.item)):
        pair = [checked[name] for name in ("interactions", table) if name in checked]
        if schema.time_unit == "rank" or len(pair) < 2 or not all({key, schema.time} <= set(one.dtypes) for one in pair):
            continue
        remedies = [TimestampRule(schema.time, "time", "data.time", schema.time_unit).type_remedy(one.dtypes[schema.time]) for one in pair]
        if remedies[1] is not None:
            what = f"time '{schema.time}', the moment since which a row of {table} is known, is {pair[1].dtypes[schema.time]}"
            faults.append(Fault(what, f"table {table}, column '{schema.time}'", f"{remedies[1]}, or rename the column if it means another"))
        elif remedies[0] is None and raw_type(pair[0].dtypes[key]) == raw_type(pair[1].dtypes[key]):
            checks.append(_check(*pair, key, schema))
    return faults, checks


def _check(interactions: CheckedTable, entities: CheckedTable, key: str, schema: Schema) -> Check:
    """Rows before the moment that the sound rows of the other table say."""
    time, kind = interactions.dtypes[schema.time], pl.Int64 if interactions.dtypes[key].is_integer() else pl.String
    sound = without(entities.frame, [check for check, _ in entities.counts.broken])
    rows = sound.select(pl.col(key).cast(kind), schema.time).drop_nulls().collect()
    since = microseconds(rows[schema.time], schema.time_unit)
    if time == pl.Date:
        since -= since % DAY_US  # a row that is known since noon is known on that day
    known = pl.col(key).cast(kind).replace_strict(rows[key], pl.Series(since), default=None, return_dtype=pl.Int64)
    moment = pl.col(schema.time)
    moment = moment.dt.epoch("us") if is_date(time) else moment.cast(pl.Int64) * (US_PER_S // TICKS_PER_S[schema.time_unit])
    told = [column.cast(pl.Datetime("us")).dt.strftime("%F %T") for column in (moment, known)]
    return Check(
        schema.time,
        f"interaction earlier than the '{schema.time}' of its '{key}' in {entities.name}",
        moment < known,
        f"join features as they were then, rename '{schema.time}' in {entities.name} if it is not since when a row is known, {ASIDE}",
        pl.format("{}: {} before {}", pl.col(key), *told),
    )
