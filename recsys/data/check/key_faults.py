"""Ids that do not meet across tables: of another type, or without a row in their own table."""

import polars as pl

from recsys.data.check.findings import Findings
from recsys.errors import Fault
from recsys.schema.raw import raw_type

MAX_MISSING_SHARE = 0.5
"""With more ids than this without a row in their own table, the two tables do not belong together."""
SHOWN = 5


def key_findings(interactions: pl.LazyFrame, entities: pl.LazyFrame, *, table: str, key: str, max_unknown_share: float) -> Findings:
    """Whether the ids of the interactions have a row in the users or items table.

    Ids without one are kept, with unknown features, and counted in a note; above MAX_MISSING_SHARE they are a fault.

    Args:
        interactions, entities: frames that have column `key`.
        table: "users" or "items".
        max_unknown_share: share of ids above which the note is a warning.
    """
    left, right = interactions.collect_schema()[key], entities.collect_schema()[key]
    where = f"tables interactions and {table}, column '{key}'"
    if raw_type(left) != raw_type(right):
        remedy = f"set data.source.types.{key}=string, or rewrite one table with pl.col('{key}').cast(pl.String)"
        return Findings((Fault(f"id '{key}' is {left} in interactions and {right} in {table}", where, remedy),))
    total, missing, first = _missing(interactions, entities, pl.col(key).cast(pl.Int64 if left.is_integer() else pl.String), key)
    if not missing:
        return Findings()
    examples = ", ".join(map(repr, first)) + (", ..." if missing > len(first) else "")
    what = f"{missing:,} of {total:,} ids '{key}' of interactions have no row in {table} ({missing / total:.1%}): {examples}"
    if missing > MAX_MISSING_SHARE * total:
        remedy = f"check that data.source.{table} belongs to data.source.interactions, or set data.source.{table}=null"
        return Findings((Fault(what, where, remedy),))
    warning = f"warning, above data.max_unknown_share={max_unknown_share:g}: " if missing > max_unknown_share * total else ""
    return Findings(notes=(f"{warning}{what}; their features are unknown",))


def _missing(interactions: pl.LazyFrame, entities: pl.LazyFrame, ids: pl.Expr, key: str) -> tuple[int, int, list]:
    """Distinct ids of the interactions, how many of them the entities lack, and the first few of these."""
    used = interactions.select(ids).drop_nulls().unique()
    known = entities.select(ids, known=True).drop_nulls().unique()
    lacking = pl.col(key).filter(pl.col("known").is_null())
    query = used.join(known, on=key, how="left").select(
        total=pl.len(), missing=lacking.len(), first=lacking.bottom_k(SHOWN).sort().implode()
    )
    return query.collect(engine="streaming").row(0)
