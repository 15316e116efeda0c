"""Faults that show only once rows are numbered and split: empty parts, unknown ids, repeats, one user with most rows. N rows."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from recsys.data.split import NAMES, TRAIN, Assignment, Split
from recsys.data.store.interactions import KeyColumns
from recsys.errors import DataError, Fault
from recsys.schema import FIRST_KNOWN, Schema

DOMINANT_SHARE = 0.5
"""A user with more of all rows than this is probably a robot or a placeholder id."""


def check_parts(assignment: Assignment, positive: np.ndarray, split: Split) -> None:
    """DataError for every part that has no rows, or no positive row to learn from or be evaluated on."""
    faults = []
    for code, name in enumerate(NAMES):
        part = positive[assignment.codes == code]
        if not part.any():
            what = f"none of the {len(part):,} {name} rows is positive" if len(part) else f"no {name} rows"
            faults.append(Fault(f"{what} under {split}", "data.split", "move the cut, or use another split"))
    if faults:
        raise DataError(*faults)


def check_rows(rows: KeyColumns, schema: Schema, user_ids: pl.Series, *, max_unknown_share: float) -> list[str]:
    """Sentences on what is worth knowing of numbered and split rows and no fault; a DataError with every fault.

    `user_ids` are raw, by entity index from 1.
    """
    findings: list[Fault | str] = []
    for column, codes in ((schema.user, rows.user), (schema.item, rows.item)):
        findings += () if column is None else unknown_ids(column, codes, rows.split, max_unknown_share)
    if None not in (schema.user, schema.item, schema.time):
        findings += repeated_rows(rows.user, rows.item, rows.time, rows.split)
    if schema.user is not None:
        findings += dominant_user(rows.user, user_ids, schema.user)
    faults = [finding for finding in findings if isinstance(finding, Fault)]
    if faults:
        raise DataError(*faults)
    return [finding for finding in findings if isinstance(finding, str)]


def unknown_ids(column: str, codes: np.ndarray, split: np.ndarray, limit: float) -> Iterator[Fault | str]:
    """Ids of validation and test rows that training never saw: a note with their share, a fault where they are all there is.

    A share above the limit (data.max_unknown_share) is a fault, too. `codes` [N] are entity indices.
    """
    is_new = np.ones(int(codes.max()) + 1, dtype=bool)
    is_new[codes[split == TRAIN]] = False
    for code, name in enumerate(NAMES):
        part = is_new[codes[split == code]]
        new, total = int(part.sum()), len(part)
        if not new:
            continue
        where = f"interactions, column '{column}'"
        if new == total:
            what = f"training never saw the '{column}' of any of the {total:,} {name} rows"
            yield Fault(what, where, "move the cut with data.split, or check that the files belong together")
            continue
        what = f"{new:,} of {total:,} {name} rows ({new / total:.1%}) have a '{column}' that training never saw"
        remedy = f"move the cut with data.split, or raise data.max_unknown_share={limit:g} where so many are new"
        yield what if new <= limit * total else Fault(what, where, remedy)


def repeated_rows(user: np.ndarray, item: np.ndarray, time: np.ndarray, split: np.ndarray) -> Iterator[Fault | str]:
    """Rows that repeat the user, item and time of another: counted in a note; a fault where the two stand in different splits.

    Entity indices `user` and `item` [N] are below 2^32.
    """
    repeated = _repeated_numbers(user, item, time)
    if not len(repeated):
        return
    rows = pl.DataFrame({"user": user[repeated], "item": item[repeated], "time": time[repeated], "split": split[repeated], "row": repeated})
    groups = rows.group_by("user", "item", "time", maintain_order=True).agg(pl.len(), pl.col("split").n_unique() > 1, "row")
    groups = groups.filter(pl.col("len") > 1)
    extra, across = int((groups["len"] - 1).sum()), groups.filter("split")
    if extra:
        yield f"{extra:,} of {len(user):,} interactions repeat the user, item and time of another"
    if len(across):
        first = across["row"].explode().head(5).to_list()
        yield Fault(
            f"{across.height:,} times the same user, item and time stand in two splits: training holds what the test asks",
            f"interactions, rows {', '.join(map(str, first))}{', ...' if across['row'].list.len().sum() > 5 else ''}",
            "drop repeats with unique(subset=[user, item, time]) before they reach data.source, or use a temporal data.split",
        )


def _repeated_numbers(user: np.ndarray, item: np.ndarray, time: np.ndarray) -> np.ndarray:
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


def dominant_user(user: np.ndarray, ids: pl.Series, column: str) -> Iterator[str]:
    """The sentence that names a user [N] with more than half of all rows, where there is one; `ids` are raw, by entity index from 1."""
    counts = np.bincount(user)
    most, total = int(counts.argmax()), len(user)
    if counts[most] > DOMINANT_SHARE * total:
        yield f"{column} {ids[most - 1]!r} has {counts[most]:,} of {total:,} rows ({counts[most] / total:.1%}): a robot or a placeholder?"


def vocabulary_notes(schema: Schema) -> tuple[str, ...]:
    """One sentence per categorical feature of a fitted schema whose vocabulary holds fewer than two values."""
    sizes = {
        feature.column: schema.statistics[feature.column].size - FIRST_KNOWN for feature in schema.features if feature.keeps_vocabulary
    }
    return tuple(
        f"feature '{column}' knows {['no value', 'one value only'][size]} in training: it tells a model nothing"
        for column, size in sizes.items()
        if size < 2
    )
