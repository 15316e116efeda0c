"""Faults between tables: ids that do not meet, and interactions from before the row of their user or item was known."""

from collections.abc import Iterator, Mapping

import polars as pl

from recsys.data.check.table_check import CheckedTable
from recsys.errors import Fault
from recsys.schema import Schema, TimeUnit
from recsys.schema.kind.timestamp import DAY_US, TICKS_PER_S, US_PER_S, Timestamp, is_date, microseconds
from recsys.schema.raw import ASIDE, Check, raw_type

MAX_MISSING_SHARE = 0.5
"""With more ids than this without a row in their own table, the two tables do not belong together."""
EXAMPLES = 5
"""Ids that a sentence names."""


def table_pairs(checked: Mapping[str, CheckedTable], schema: Schema) -> Iterator[tuple[CheckedTable, CheckedTable, str]]:
    """The interactions, the users or the items, and the id column that both have."""
    for table, key in (("users", schema.user), ("items", schema.item)):
        if key is not None and table in checked and all(key in checked[name].dtypes for name in ("interactions", table)):
            yield checked["interactions"], checked[table], key


def id_findings(interactions: CheckedTable, entities: CheckedTable, key: str, max_unknown_share: float) -> Iterator[Fault | str]:
    """Faults and notes on ids of the interactions that have no row in the users or items table.

    Ids without one are kept, with unknown features, and counted in a note; above MAX_MISSING_SHARE they are a fault. A users or items table
    that was read in part says nothing of missing ids.

    Args:
        key: id column that both tables have.
        max_unknown_share: share of ids above which the note is a warning.
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
    moment = pl.col(time)
    moment = moment.dt.epoch("us") if is_date(dtype) else moment.cast(pl.Int64) * (US_PER_S // TICKS_PER_S[unit])
    dates = [column.cast(pl.Datetime("us")).dt.strftime("%F %T") for column in (moment, known)]
    return Check(
        time,
        f"interaction earlier than the '{time}' of its '{key}' in {entities.name}",
        moment < known,
        f"join features as they were then, rename '{time}' in {entities.name} if it is not since when a row is known, {ASIDE}",
        pl.format("{}: {} before {}", pl.col(key), *dates),
    )
