"""Comparison of the exported graphs with the model. N rows, V catalogue rows, D dim, K answers.

Compared on raw requests against torch on the same rows by index:
- vectors of both towers, and scores of the retriever: at most 1e-5 apart (times the magnitude where that is above 1);
- lists: the K best by score descending, then catalogue index ascending. Both sides compute scores in float32, so two items whose
  float64 scores are closer than 1e-6 (times the magnitude where above 1) may stand in either order; such an exchange is counted.
  Items with bit-identical vectors are a true tie: there the catalogue order must hold.
- an excluded item is never answered, every batch size gives the same, and every item of the catalogue has its own score (one row).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.errors import Fault, ReleaseError
from recsys.export.graph import REMEDY, session
from recsys.export.preprocessing import id_dtype, missing, raw_array
from recsys.export.requests import Requests
from recsys.model.two_tower import TwoTower
from recsys.serve.golden import difference

SCORE_TOLERANCE, TIE_TOLERANCE = 1e-5, 1e-6
"""Both are relative where the magnitude of a score is above 1."""
BATCH_SIZES = (1, 7, 64)
EXCLUDED = 5
"""Ids that every second row of the second pass excludes: the row's best items, and one outside the catalogue."""
ROWS_PER_PASS = 64
"""Rows of torch scores in memory at once: [64, V]."""


def parity(
    folder: Path, *, model: TwoTower, users: Requests, items: Requests, item_vectors: np.ndarray, item_ids: pl.Series, k: int
) -> dict:
    """Compare the three graphs in `folder` with the model.

    Args:
        model: in evaluation mode.
        users, items: rows to compare.
        item_vectors: [V, D] float32 of the whole catalogue, row 0 padding, as the retriever holds them.
        item_ids: [V] raw ids; [0] is null.
    Returns:
        For the manifest: "users" and "items" compared, the length "k" of lists, "batch_sizes" that each answered all rows; "lists"
        compared over all batch sizes, with and without exclusion; of these "identical_lists", item for item; "exchanged_items", positions
        that hold another item of equal score; "max_score_difference" and "max_vector_difference", largest |onnx - torch|, relative where
        the magnitude is above 1.
    Raises:
        ReleaseError: names the graph and the worst row.
    """
    with torch.inference_mode():
        user_vectors = model.users(users.index).numpy()
        some_items = model.items(items.index).numpy()
    towers = {"user_tower": (users, user_vectors), "item_tower": (items, some_items)}
    vectors = max(_compare_vectors(folder / f"{name}.onnx", *rows) for name, rows in towers.items())
    check = _Lists(folder / "retriever.onnx", users, user_vectors, item_vectors, item_ids, k)
    best = check.run([np.empty(0, np.int64)] * len(users))
    check.run([row[: EXCLUDED - 1] if number % 2 else row[:0] for number, row in enumerate(best)])
    check.run_whole_catalogue()
    return {
        "users": len(users),
        "items": len(items),
        "k": k,
        "batch_sizes": BATCH_SIZES,
        "lists": check.lists,
        "identical_lists": check.identical,
        "exchanged_items": check.exchanged,
        "max_score_difference": check.max_difference,
        "max_vector_difference": vectors,
    }


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


def _expect_row(user_vector: np.ndarray, item_vectors: np.ndarray, scores: Tensor, k: int) -> Expected:
    number = min(k, int(scores.isfinite().sum()))
    if number == 0:
        nothing = np.empty(0, np.int64)
        return Expected(nothing, nothing, np.empty(0), nothing)
    last = scores.topk(number).values[-1].item()
    near = (scores >= last - 2 * SCORE_TOLERANCE * max(1.0, abs(last))).nonzero().squeeze(1).numpy()  # ascending
    vectors = item_vectors[near]
    exact = (vectors.astype(np.float64) * user_vector.astype(np.float64)).sum(1)
    items = near[np.argsort(-exact, kind="stable")[:number]]
    return Expected(items, near, exact, twins=np.unique(vectors, axis=0, return_inverse=True)[1].reshape(-1))


def wrong_list(got: np.ndarray, expected: Expected) -> str | None:
    """Fault of a list of catalogue indices, beyond an exchange of items that float32 cannot tell apart; None without one."""
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
        twins_of_list = got[expected.twins[at] == twin]
        if (twins_of_list != expected.near[expected.twins == twin][: len(twins_of_list)]).any():
            return f"lists items of equal score as catalogue rows {twins_of_list.tolist()}, not in ascending order"
    return None


class _Lists:
    """Runs the retriever over all rows, compares every list, and keeps count."""

    def __init__(self, graph: Path, users: Requests, user_vectors: np.ndarray, item_vectors: np.ndarray, item_ids: pl.Series, k: int):
        self.session, self.users, self.k = session(graph), users, k
        self.user_vectors, self.item_vectors = user_vectors, item_vectors
        dtype = id_dtype(item_ids)
        self.ids, self.padding = raw_array(item_ids, dtype), missing(dtype)
        self.index_of = {value: position for position, value in enumerate(self.ids.tolist())}
        self.lists = self.identical = self.exchanged = 0
        self.max_difference = 0.0

    def run(self, excluded: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compare every row in every batch size, each without its excluded catalogue indices; returns the right lists."""
        expected = expect(self.user_vectors, self.item_vectors, excluded, self.k)
        exclude = self._exclude(excluded)
        for size in BATCH_SIZES:
            for start in range(0, len(self.users), size):
                feed = self.users.rows(start, start + size) | {"exclude": exclude[start : start + size], "k": np.array([self.k], np.int64)}
                items, scores = self.session.run(["items", "scores"], feed)
                for offset in range(len(items)):
                    self._compare(start + offset, size, items[offset], scores[offset], expected[start + offset])
        return [row.items for row in expected]

    def _exclude(self, excluded: Sequence[np.ndarray]) -> np.ndarray:
        """Raw ids [N, E], one of them outside the catalogue; [N, 0] where no row excludes any."""
        width = max(map(len, excluded))
        exclude = np.full((len(excluded), width + 1 if width else 0), self.padding, self.ids.dtype)
        for row, at in enumerate(excluded):
            exclude[row, : len(at)] = self.ids[at]
        exclude[:, width:] = "not in the catalogue" if self.ids.dtype == object else -(2**62) - 1
        return exclude

    def run_whole_catalogue(self) -> None:
        """Ask for every item once, for the first row: also an item that is on no list has its id and its score."""
        number = len(self.ids) - 1
        exclude = np.empty((1, 0), self.ids.dtype)
        items, scores = self.session.run(["items", "scores"], self.users.rows(0, 1) | {"exclude": exclude, "k": np.array([number])})
        got = self._catalogue_rows(items[0])
        fault = self._wrong_scores(0, got, scores[0])
        if fault is None and len(np.unique(got)) < number:
            fault = f"answers {len(np.unique(got))} of the {number} items when asked for all"
        self._refuse(fault, 0, 1)

    def _compare(self, row: int, batch_size: int, items: np.ndarray, scores: np.ndarray, expected: Expected) -> None:
        number = len(expected.items)
        got = self._catalogue_rows(items[:number])
        fault = self._wrong_scores(row, got, scores[:number])
        if fault is None and ((items[number:] != self.padding).any() or np.isfinite(scores[number:]).any()):
            fault = f"answers {items[number:].tolist()} after the {number} items that are left"
        self._refuse(fault or wrong_list(got, expected), row, batch_size)
        self.lists += 1
        self.identical += int((got == expected.items).all())
        self.exchanged += int((got != expected.items).sum())

    def _catalogue_rows(self, items: np.ndarray) -> np.ndarray:
        return np.array([self.index_of[item] for item in items.tolist()], dtype=np.int64)

    def _wrong_scores(self, row: int, got: np.ndarray, scores: np.ndarray) -> str | None:
        want = (self.user_vectors[row] * self.item_vectors[got]).sum(1)
        distance = difference(scores, want)
        if not (distance <= SCORE_TOLERANCE).all():
            worst = int(np.nan_to_num(distance, nan=np.inf).argmax())
            item = self.ids.tolist()[got[worst]]
            return f"gives item {item!r} the score {scores[worst]}, the model {want[worst]} (limit {SCORE_TOLERANCE})"
        self.max_difference = max(self.max_difference, float(distance.max(initial=0.0)))
        return None

    def _refuse(self, fault: str | None, row: int, batch_size: int) -> None:
        if fault is not None:
            where = f"row {row} in batches of {batch_size}: {self.users.describe(row)}"
            raise ReleaseError("parity", Fault(f"retriever.onnx {fault}", where, REMEDY))


def _compare_vectors(path: Path, requests: Requests, want: np.ndarray) -> float:
    graph = session(path)
    largest = 0.0
    for size in BATCH_SIZES:
        parts = [graph.run(["vector"], requests.rows(start, start + size))[0] for start in range(0, len(requests), size)]
        distance = difference(np.concatenate(parts), want).max(1)  # [N]
        row = int(np.nan_to_num(distance, nan=np.inf).argmax())
        if not distance[row] <= SCORE_TOLERANCE:
            what = f"{path.name} gives a vector {distance[row]:.2g} from the model's (limit {SCORE_TOLERANCE})"
            raise ReleaseError("parity", Fault(what, f"row {row} in batches of {size}: {requests.describe(row)}", REMEDY))
        largest = max(largest, float(distance[row]))
    return largest
