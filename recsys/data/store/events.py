"""Rows in their final order, and the positive ones among them as ranges per user. N rows, E events."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KeyColumns:
    """The key columns of N rows, in one common order.

    Attributes:
        user, item: [N] int32 entity index, from 1.
        time: [N] int64.
        split: [N] uint8.
        positive: [N] bool.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    split: np.ndarray
    positive: np.ndarray

    def ordered(self, order: np.ndarray) -> "KeyColumns":
        """The same rows in another order, [N] int64."""
        return KeyColumns(*(column[order] for column in vars(self).values()))


def history_stops(rows: KeyColumns) -> np.ndarray:
    """[N] int64: how many events, over all users, come before each row's (user, split, time); rows of one moment have the same.

    Args:
        rows: sorted by (user, split, time).
    """
    stops = np.cumsum(rows.positive, dtype=np.int64)
    stops -= rows.positive
    first_of_moment = np.ones(len(stops), dtype=bool)
    first_of_moment[1:] = False
    for column in (rows.user, rows.split, rows.time):
        first_of_moment[1:] |= column[1:] != column[:-1]
    stops[~first_of_moment] = 0
    return np.maximum.accumulate(stops, out=stops)  # stops never fall, so this repeats a moment's first one over the moment


def event_arrays(rows: KeyColumns, *, num_users: int, num_items: int) -> dict[str, np.ndarray]:
    """The event_* arrays and item_count of a Store.

    Args:
        rows: sorted by (user, split, time).
    """
    event_row = np.flatnonzero(rows.positive)
    event_split, event_item = rows.split[event_row], rows.item[event_row]
    per_user = np.bincount(rows.user[event_row], minlength=num_users + 1)
    return {
        "event_row": event_row,
        "event_item": event_item,
        "event_time": rows.time[event_row],
        "event_split": event_split,
        "event_start": np.concatenate([[0], np.cumsum(per_user)]),
        "item_count": np.bincount(event_item[event_split == 0], minlength=num_items + 1),
    }
