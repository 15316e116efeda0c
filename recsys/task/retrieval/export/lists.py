"""The right answer to a request, and how far an exported graph may differ from it. N rows, V catalogue rows, D dim, K answers.

Both sides compute scores in float32, so two items whose float64 scores are closer than TIE_TOLERANCE may stand in either order.
Items with bit-identical vectors are a true tie: there the catalogue order must hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys.export.graph import difference

SCORE_TOLERANCE = 1e-5
TIE_TOLERANCE = 1e-6
"""Both are relative where the magnitude of a score is above 1."""
ROWS_PER_PASS = 64
"""Rows of torch scores in memory at once: [64, V]."""


@dataclass(frozen=True)
class Expected:
    """The right list of one row.

    Attributes:
        items: [K'] catalogue indices; K' < K where fewer are left.
        near: every item that a float32 rounding could put on the list, ascending.
        scores: float64 score of each of `near`.
        twins: equal numbers for those of `near` with bit-identical vectors.
    """

    items: np.ndarray
    near: np.ndarray
    scores: np.ndarray
    twins: np.ndarray


def expect(user_vectors: np.ndarray, item_vectors: np.ndarray, excluded: Sequence[np.ndarray], k: int) -> list[Expected]:
    """The right list of every row: by float64 score descending, then catalogue index ascending, without row 0 and `excluded`."""
    rows = []
    for start in range(0, len(user_vectors), ROWS_PER_PASS):
        scores = torch.from_numpy(user_vectors[start : start + ROWS_PER_PASS]) @ torch.from_numpy(item_vectors).T  # [n, V]
        scores[:, 0] = -torch.inf
        for offset, row in enumerate(scores):
            row[torch.from_numpy(excluded[start + offset])] = -torch.inf
            rows.append(_expect_row(user_vectors[start + offset], item_vectors, row, k))
    return rows


def wrong_list(got: np.ndarray, expected: Expected) -> str | None:
    """What is wrong with a list of catalogue indices, beyond an exchange of items that float32 cannot tell apart; None if nothing."""
    if (got == expected.items).all():
        return None
    if len(set(got.tolist())) < len(got):
        return f"answers an item twice: catalogue rows {got.tolist()}"
    at = np.searchsorted(expected.near, got).clip(max=len(expected.near) - 1)
    strange = got[expected.near[at] != got]
    if len(strange):
        return f"answers catalogue row {strange[0]}, which is excluded or scores too little"
    best = np.sort(expected.scores)[::-1][: len(got)]
    late = np.flatnonzero(difference(expected.scores[at], best) > TIE_TOLERANCE)
    if len(late):
        return f"answers catalogue row {got[late[0]]} at place {late[0] + 1}, where row {expected.items[late[0]]} belongs"
    for twin in np.flatnonzero(np.bincount(expected.twins) > 1):
        listed = got[expected.twins[at] == twin]
        if (listed != expected.near[expected.twins == twin][: len(listed)]).any():
            return f"lists items of equal score as catalogue rows {listed.tolist()}, not in ascending order"
    return None


def _expect_row(user_vector: np.ndarray, item_vectors: np.ndarray, scores: Tensor, k: int) -> Expected:
    left = int(scores.isfinite().sum())
    number = min(k, left)
    if number == 0:
        nothing = np.empty(0, np.int64)
        return Expected(nothing, nothing, np.empty(0), nothing)
    last = scores.topk(number).values[-1].item()
    near = (scores >= last - 2 * SCORE_TOLERANCE * max(1.0, abs(last))).nonzero().squeeze(1).numpy()  # ascending
    vectors = item_vectors[near]
    exact = (vectors.astype(np.float64) * user_vector.astype(np.float64)).sum(1)
    items = near[np.argsort(-exact, kind="stable")[:number]]
    twins = np.unique(vectors, axis=0, return_inverse=True)[1].reshape(-1)
    return Expected(items, near, exact, twins)
