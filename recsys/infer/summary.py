"""Summary of what a draft assumes, counted on the tables as the yaml reads them, so that a wrong guess is seen at once."""

import numpy as np
import polars as pl

from recsys.config import build
from recsys.data.split import NAMES, SplitRows
from recsys.errors import RecsysError, name_list
from recsys.infer.tables import Draft
from recsys.schema.kind.timestamp import epoch_us
from recsys.source.tables import TableFiles


def summary_lines(source: TableFiles, draft: Draft) -> list[str]:
    """Lines on rows, users, items, positives, time, split, and what was left out and why."""
    tables = source.tables()
    interactions = tables.interactions
    keys = [column for column in (draft.user, draft.item, draft.time.column if draft.time else None) if column is not None]
    others = [column for column in (draft.positive, draft.split.get("column")) if isinstance(column, str)]
    rows = interactions.select(list(dict.fromkeys([*keys, *others]))).collect(engine="streaming")
    whole = rows.drop_nulls(keys)
    lines = [f"rows: {len(rows):,}" + (f", {len(rows) - len(whole):,} without one of {', '.join(keys)}" if len(whole) < len(rows) else "")]
    lines += [f"{noun}: {_number(whole, column)}" for noun, column in (("users", draft.user), ("items", draft.item))]
    positive = pl.lit(True) if draft.positive is None else (pl.col(draft.positive).cast(pl.Float32) == 1).fill_null(False)
    chosen = whole.select(positive.alias("positive") if draft.positive else pl.repeat(True, pl.len()).alias("positive")).to_series()
    lines.append(f"positives: {int(chosen.sum()):,}, " + (f"where '{draft.positive}' is 1" if draft.positive else "every row"))
    lines.append(f"time: {_time_words(whole, draft)}")
    lines.append(f"split: {_split_words(whole, chosen, draft)}")
    left_out = [f"{line.column!r} ({line.guess.why.split(': ', 1)[-1]})" for line in draft.lines if not line.used and not line.guess.kind]
    proposed = [line.column for line in draft.lines if not line.used and line.guess.kind]
    lines += [f"left out: {'; '.join(left_out)}"] if left_out else []
    lines += [f"only proposed, as they may be known after the choice: {name_list(proposed, 10)}"] if proposed else []
    return lines


def _number(rows: pl.DataFrame, column: str | None) -> str:
    return "rows name none" if column is None else f"{rows[column].n_unique():,} by '{column}'"


def _time_words(rows: pl.DataFrame, draft: Draft) -> str:
    if draft.time is None:
        return "none, so there is no order"
    column = draft.time.column
    if draft.time.unit == "rank":
        return f"'{column}' from {rows[column].min()!r} to {rows[column].max()!r} as a rank: an order, no calendar"
    moments = rows.select(epoch_us(pl.col(column), rows[column].dtype, draft.time.unit).cast(pl.Datetime("us"))).to_series()
    return f"'{column}' from {str(moments.min())[:19]} to {str(moments.max())[:19]} UTC, read as {draft.time.unit}"


def _split_words(rows: pl.DataFrame, positive: pl.Series, draft: Draft) -> str:
    name = str(draft.split["_target_"]).rpartition(".")[2]
    user = np.ones(len(rows), np.int32) if draft.user is None else rows[draft.user].rank("dense").cast(pl.Int32).to_numpy()
    moment = (
        None
        if draft.time is None
        else rows.select(epoch_us(pl.col(draft.time.column), rows[draft.time.column].dtype, draft.time.unit).fill_null(0))
    )
    split = build(dict(draft.split))
    given = rows[split.column] if split.column else None
    calendar = draft.time is not None and draft.time.unit != "rank"
    try:
        codes = split.assign(
            SplitRows(user, None if moment is None else moment.to_series().to_numpy(), calendar, positive.to_numpy(), given)
        ).codes
    except RecsysError as error:
        return f"{name}: {error.faults[0].what}"
    counts = ", ".join(f"{int(np.sum(codes == code)):,} {part}" for code, part in enumerate(NAMES))
    return f"{name}: {counts} rows ({draft.why['split']})"
