"""What shows only once rows are numbered and split: unknown ids, duplicates, one user with most rows, features of one value. N rows."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from recsys.data.check.findings import Findings
from recsys.errors import Fault
from recsys.schema import FIRST_KNOWN, Categorical, MultiCategorical, Schema

DOMINANT_SHARE = 0.5
"""A user with more of all rows than this is probably a robot or a placeholder id."""


def unknown_findings(column: str, unknown: Mapping[str, tuple[int, int]], limit: float) -> Findings:
    """Ids of validation and test rows that training never saw: a note with their share, a fault where they are all there is.

    Args:
        column: the id column.
        unknown: {"validation" or "test": (rows with an unknown id, all rows)}.
        limit: share of rows above which there is a fault (data.max_unknown_share).
    """
    faults, notes = [], []
    for split, (rows, total) in unknown.items():
        if rows == total and total:
            remedy = "move the cut with data.split, or check that the files belong together"
            faults.append(
                Fault(f"training never saw the '{column}' of any of the {total:,} {split} rows", f"interactions, column '{column}'", remedy)
            )
        elif rows:
            said = f"{rows:,} of {total:,} {split} rows ({rows / total:.1%}) have a '{column}' that training never saw"
            if rows <= limit * total:
                notes.append(said)
            else:
                remedy = f"move the cut with data.split, or raise data.max_unknown_share={limit:g} where so many are new"
                faults.append(Fault(said, f"interactions, column '{column}'", remedy))
    return Findings(tuple(faults), tuple(notes))


def duplicate_findings(user: np.ndarray, item: np.ndarray, time: np.ndarray, split: np.ndarray) -> Findings:
    """Rows that repeat the user, item and time of another: counted in a note; a fault where the two stand in different splits.

    Args:
        user, item: [N] entity index, below 2^32.
        time: [N] int64.
        split: [N] 0 train, 1 validation, 2 test.
    """
    repeated = _repeated(user, item, time)
    if not len(repeated):
        return Findings()
    rows = pl.DataFrame({"user": user[repeated], "item": item[repeated], "time": time[repeated], "split": split[repeated], "row": repeated})
    groups = rows.group_by("user", "item", "time", maintain_order=True).agg(pl.len(), pl.col("split").n_unique() > 1, "row")
    groups = groups.filter(pl.col("len") > 1)
    extra, across = int((groups["len"] - 1).sum()), groups.filter("split")
    notes = (f"{extra:,} of {len(user):,} interactions repeat the user, item and time of another",) if extra else ()
    if across.is_empty():
        return Findings(notes=notes)
    first = across["row"].explode().head(5).to_list()
    fault = Fault(
        f"{across.height:,} times the same user, item and time stand in two splits: training holds what the test asks",
        f"interactions, rows {', '.join(map(str, first))}{', ...' if across['row'].list.len().sum() > 5 else ''}",
        "drop repeats with unique(subset=[user, item, time]) before they reach data.source, or use a temporal data.split",
    )
    return Findings((fault,), notes)


def _repeated(user: np.ndarray, item: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Row numbers whose 64-bit hash of (user, item, time) occurs more than once: all repeats, and rarely a collision.

    Sorting hashes alone takes 20 M rows a few seconds; sorting the rows by three columns would take a minute.
    """
    hashes = _mix(_mix((user.astype(np.uint64) << np.uint64(32)) | item.astype(np.uint64)) ^ time.astype(np.int64).view(np.uint64))
    ascending = np.sort(hashes)
    twice = np.unique(ascending[1:][ascending[1:] == ascending[:-1]])
    return np.flatnonzero(np.isin(hashes, twice)) if len(twice) else np.empty(0, dtype=np.int64)


def _mix(bits: np.ndarray) -> np.ndarray:
    """Finaliser of splitmix64 (Steele et al., OOPSLA 2014): one to one, and every bit of the input moves half of the output's."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def dominant_note(counts: np.ndarray, ids: pl.Series, column: str) -> str | None:
    """The sentence that names a user with more than half of all rows; None when there is none.

    Args:
        counts: [num_users + 1] rows of each user.
        ids: [num_users + 1] raw ids.
        column: the user id column.
    """
    most, total = int(counts.argmax()), int(counts.sum())
    if counts[most] <= DOMINANT_SHARE * total:
        return None
    return f"{column} {ids[most]!r} has {counts[most]:,} of {total:,} rows ({counts[most] / total:.1%}): a robot or a placeholder?"


def vocabulary_notes(schema: Schema) -> tuple[str, ...]:
    """One sentence per categorical feature whose vocabulary holds fewer than two values, so that it tells a model nothing.

    Args:
        schema: fitted.
    """
    kept = [feature for feature in schema.features if isinstance(feature, Categorical | MultiCategorical) and feature.buckets == 0]
    sizes = {feature.column: schema.statistics[feature.column].size - FIRST_KNOWN for feature in kept}
    return tuple(
        f"feature '{column}' knows {['no value', 'one value only'][size]} in training: it tells a model nothing"
        for column, size in sizes.items()
        if size < 2
    )
