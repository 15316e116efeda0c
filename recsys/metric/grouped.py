"""Metrics within groups of rows, such as a user's or a session's impressions, ties at their expected value. G groups, N rows, T ties.

A tie is the set of a group's rows with one probability, in uniformly random order, as in `ranking`: one of m rows, r of them positive, that
starts after s rows of its group holds a positive at each of its positions with probability r / m. So recall and NDCG are closed forms, with
gains of 0 or 1 and an ideal list of min(R, k) ones. All groups are measured at once after one sort.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Groups:
    """Rows by group, best first, with tied rows as one.

    Attributes:
        id: [G] int64, ascending.
        rows: [G] int64, at least 1.
        positives: [G] int64.
        first: [G] int64 first tie of each group.
        owner: [T] int64 place in `id` of the group of each tie.
        start: [T] int64 rows of the group before each tie (s).
        size: [T] int64 rows of each tie (m).
        hits: [T] int64 positives of each tie (r).
    """

    id: np.ndarray
    rows: np.ndarray
    positives: np.ndarray
    first: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    size: np.ndarray
    hits: np.ndarray


def sort_groups(probability: Tensor, label: Tensor, group: Tensor) -> Groups:
    """Groups of rows: [N] scores of which only the order matters, without NaN; [N] labels 0 or 1; [N] int64 groups in any order."""
    scores, groups = probability.double().numpy(), group.numpy()
    order = np.lexsort((-scores, groups))
    scores, groups, labels = scores[order], groups[order], label.long().numpy()[order]
    opens_group = np.ones(len(groups), dtype=bool)
    opens_group[1:] = groups[1:] != groups[:-1]
    opens_tie = opens_group.copy()
    opens_tie[1:] |= scores[1:] != scores[:-1]
    group_start, tie_start = np.flatnonzero(opens_group), np.flatnonzero(opens_tie)
    owner = opens_group[tie_start].cumsum() - 1  # [T]
    return Groups(
        id=groups[group_start],
        rows=np.diff(group_start, append=len(groups)),
        positives=np.add.reduceat(labels, group_start),
        first=np.searchsorted(tie_start, group_start),
        owner=owner,
        start=tie_start - group_start[owner],
        size=np.diff(tie_start, append=len(groups)),
        hits=np.add.reduceat(labels, tie_start),
    )


def auc_per_group(groups: Groups) -> np.ndarray:
    """[G] float64 chance that a positive of the group scores above a negative of it, a tie counting half; NaN without both classes."""
    negatives = groups.size - groups.hits
    through_group = (groups.rows - groups.positives).cumsum()  # [G] of a group and all before it
    below = through_group[groups.owner] - negatives.cumsum()  # [T]
    in_order = np.add.reduceat(groups.hits * (2 * below + negatives), groups.first)  # exact integers, divided once
    return _quotient(in_order, 2 * groups.positives * (groups.rows - groups.positives))


def recall_per_group(groups: Groups, k: int) -> np.ndarray:
    """[G] float64 expected share of the group's positives among its first k >= 1 rows; NaN without positives."""
    inside = np.clip(k - groups.start, 0, groups.size)
    hits = np.bincount(groups.owner, weights=groups.hits * inside / groups.size, minlength=len(groups.id))
    return _quotient(hits, groups.positives)


def ndcg_per_group(groups: Groups, k: int) -> np.ndarray:
    """[G] float64 expected sum of 1 / log2(1 + position) over positives in the first k >= 1, over that of the ideal list.

    The ideal list has min(R, k) ones; NaN without positives.
    """
    gains = np.append(0.0, (1 / np.log2(np.arange(2, k + 2))).cumsum())  # [k + 1] of the first 0, 1, ..., k positions
    between = gains[np.minimum(groups.start + groups.size, k)] - gains[np.minimum(groups.start, k)]
    hits = np.bincount(groups.owner, weights=groups.hits * between / groups.size, minlength=len(groups.id))
    return _quotient(hits, gains[np.minimum(groups.positives, k)])


def _quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """[G] float64, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
