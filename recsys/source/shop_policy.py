"""The simulated shop's logging policy: which items a page shows, with what probability.

Legend: V visits, K slots of a page, W days, N items in shelf order, S shelves, D taste dimensions.

    pi(item | user, day) = q(shelf | user, day) * weight(item, day) / weight(shelf, day)
A page is one systematic sample: K points at equal distance along the items, laid end to end, each as long as its pi. So the item of
every slot follows pi exactly, and no item stands twice on a page. The slots are then shuffled: position says nothing about taste.
"""

from dataclasses import dataclass

import numpy as np

from recsys.source.shop_world import Items

SLOTS = 10
"""Impressions of one page."""
_SHARPNESS = np.float32(1.7)
_LARGEST_SHARE = 0.9 / SLOTS  # an item with more than 1 / SLOTS could stand twice on one page


@dataclass(frozen=True)
class Shelving:
    """How much exposure items get on some days.

    Attributes:
        item_until: [W, N + 1] float64 share of the day's weight before each item.
        shelf: [W, S] float32 share of the day's weight; 0 for an empty shelf.
        top: [W, S] float32 share of a shelf's heaviest item within the shelf.
    """

    item_until: np.ndarray
    shelf: np.ndarray
    top: np.ndarray

    @staticmethod
    def on(items: Items, days: np.ndarray) -> "Shelving":
        """The weights on `days` [W]."""
        item = items.weight_on(days)
        item /= item.sum(axis=1, keepdims=True)
        filled = np.flatnonzero(np.diff(items.shelf_start))  # reduceat knows no empty ranges
        shelf, top = np.zeros((2, len(days), len(items.shelf_vector)), np.float32)
        shelf[:, filled] = np.add.reduceat(item, items.shelf_start[filled], axis=1)
        heaviest = np.maximum.reduceat(item, items.shelf_start[filled], axis=1)
        top[:, filled] = np.divide(heaviest, shelf[:, filled], out=np.zeros_like(heaviest), where=heaviest > 0)
        return Shelving(np.pad(np.cumsum(item, axis=1), ((0, 0), (1, 0))), shelf, top)


def shelf_policy(items: Items, taste: np.ndarray, shelving: Shelving, at: np.ndarray) -> np.ndarray:
    """Probability q of each shelf in a slot, [V, S] float32.

    Args:
        taste: [V, D] float32.
        at: [V] int64 which of the shelving's days each visit is on.
    """
    mass = np.exp(_SHARPNESS * (taste @ items.shelf_vector.T))
    mass *= shelving.shelf[at]
    mass /= mass.sum(axis=1, keepdims=True)
    # What everyone sees is mixed in, just so far that no item exceeds its largest share.
    largest = (mass * shelving.top[at]).max(axis=1)
    over = np.flatnonzero(largest > _LARGEST_SHARE)
    common = shelving.shelf[at[over]]
    largest_common = (common * shelving.top[at[over]]).max(axis=1)
    mixed = (largest[over] - _LARGEST_SHARE) / (largest[over] - largest_common)
    mass[over] += mixed[:, None].astype(np.float32) * (common - mass[over])
    return mass


def draw_pages(rng: np.random.Generator, items: Items, days: np.ndarray, taste: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One page for each visit.

    Args:
        days: [V] int64 day of each visit; few distinct ones.
        taste: [V, D] float32.
    Returns:
        Items [V, K] int64, distinct within a row, in the order of positions; their propensity [V, K] float32.
    """
    on, at = np.unique(days, return_inverse=True)
    shelving = Shelving.on(items, on)
    mass = shelf_policy(items, taste, shelving, at)
    point = (rng.random((len(days), 1)) + np.arange(SLOTS)) / SLOTS
    point = rng.permuted(point, axis=1)
    shelf_until = np.cumsum(mass, axis=1, dtype=np.float64)
    shelf_until /= shelf_until[:, -1:]
    shelf = _first_above(shelf_until, point, np.arange(len(days))[:, None])

    # Where the point lies inside its shelf decides the item.
    rows, at = np.arange(len(days))[:, None], at[:, None]
    share = mass[rows, shelf]
    inside = np.clip(1 - (shelf_until[rows, shelf] - point) / share, 0, 1 - 1e-9)
    first, after = shelving.item_until[at, items.shelf_start[shelf]], shelving.item_until[at, items.shelf_start[shelf + 1]]
    item = _first_above(shelving.item_until[:, 1:], first + inside * (after - first), at)
    weight = shelving.item_until[at, item + 1] - shelving.item_until[at, item]
    return item, (share * weight / (after - first)).astype(np.float32)


def _first_above(until: np.ndarray, value: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Index [V, K] of the first entry of `until[row]` above each value.

    Args:
        until: [R, M] ascending within each row, from 0 to 1.
        value: [V, K] in [0, 1).
        row: [V, 1] int64.
    """
    # All rows are searched at once, each moved by its number; a value just below 1 must not move into the next row.
    moved = (until + np.arange(len(until))[:, None]).ravel()
    return np.searchsorted(moved, (np.minimum(value, 1 - 1e-9) + row).ravel(), side="right").reshape(value.shape) - row * until.shape[1]
