"""Does the exported graph answer like the model? N rows, V catalogue rows, D dim, K answers.

Compared on raw requests against torch on the same rows by index:
- vectors of both towers, and scores of the retriever: at most 1e-5 apart (times the magnitude where that is above 1);
- lists: the K best by score descending, then catalogue index ascending. Both sides compute scores in float32, so two items whose
  float64 scores are closer than 1e-6 (times the magnitude where above 1) may stand in either order; such an exchange is counted.
  Items with bit-identical vectors are a true tie: there the catalogue order must hold.
- an excluded item is never answered, every batch size gives the same, and every item of the catalogue has its own score (one row).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import torch

from recsys.errors import Fault, ReleaseError
from recsys.export.graph import REMEDY, difference, session
from recsys.export.preprocessing import id_dtype, missing, raw_array
from recsys.export.requests import Requests
from recsys.model.two_tower import TwoTower
from recsys.task.retrieval.export.lists import SCORE_TOLERANCE, Expected, expect, wrong_list

BATCH_SIZES = (1, 7, 64)
EXCLUDED = 5
"""Ids that every second row of the second pass excludes: the row's best items, and one outside the catalogue."""


@dataclass(frozen=True)
class Parity:
    """What was compared, for the manifest.

    Attributes:
        users, items: rows compared.
        k: length of the lists.
        batch_sizes: each answered all rows.
        lists: lists compared, over all batch sizes, with and without exclusion.
        identical_lists: of these, item for item.
        exchanged_items: positions that hold another item of equal score within TIE_TOLERANCE.
        max_score_difference, max_vector_difference: largest |onnx - torch|, relative where the magnitude is above 1.
    """

    users: int
    items: int
    k: int
    batch_sizes: tuple[int, ...]
    lists: int
    identical_lists: int
    exchanged_items: int
    max_score_difference: float
    max_vector_difference: float


def parity(
    folder: Path,
    *,
    model: TwoTower,
    users: Requests,
    items: Requests,
    item_vectors: np.ndarray,
    item_ids: pl.Series,
    k: int,
) -> dict:
    """Compare the three graphs in `folder` with the model.

    Args:
        model: two towers in evaluation mode: `users(features)`, `items(features)`.
        users, items: rows to compare.
        item_vectors: [V, D] float32 of the whole catalogue, row 0 padding, as the retriever holds them.
        item_ids: [V] raw ids; [0] is null.
    Returns:
        The figures of `Parity`.

    Raises:
        ReleaseError: names the graph and the worst row.
    """
    with torch.inference_mode():
        user_vectors = model.users(users.index).numpy()
        some_items = model.items(items.index).numpy()
    vectors = max(
        _compare_vectors(folder / "user_tower.onnx", users, user_vectors),
        _compare_vectors(folder / "item_tower.onnx", items, some_items),
    )
    dtype = id_dtype(item_ids)
    check = _Lists(session(folder / "retriever.onnx"), users, user_vectors, item_vectors, raw_array(item_ids, dtype), missing(dtype), k)
    free = [np.empty(0, np.int64)] * len(users)
    best = check.run(free)
    check.run([row[: EXCLUDED - 1] if number % 2 else row[:0] for number, row in enumerate(best)])
    check.run_whole_catalogue()
    return asdict(
        Parity(len(users), len(items), k, BATCH_SIZES, check.lists, check.identical, check.exchanged, check.max_difference, vectors)
    )


class _Lists:
    """Runs the retriever over all rows, compares every list, and keeps count."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        users: Requests,
        user_vectors: np.ndarray,
        item_vectors: np.ndarray,
        ids: np.ndarray,
        padding: str | int,
        k: int,
    ):
        self.session, self.users, self.ids, self.padding, self.k = session, users, ids, padding, k
        self.user_vectors, self.item_vectors = user_vectors, item_vectors
        self.index_of = {value: position for position, value in enumerate(ids.tolist())}
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
        apart = difference(scores, want)
        if not (apart <= SCORE_TOLERANCE).all():
            worst = int(np.nan_to_num(apart, nan=np.inf).argmax())
            item = self.ids.tolist()[got[worst]]
            return f"gives item {item!r} the score {scores[worst]}, the model {want[worst]} (limit {SCORE_TOLERANCE})"
        self.max_difference = max(self.max_difference, float(apart.max(initial=0.0)))
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
        apart = difference(np.concatenate(parts), want).max(1)  # [N]
        row = int(np.nan_to_num(apart, nan=np.inf).argmax())
        if not apart[row] <= SCORE_TOLERANCE:
            what = f"{path.name} gives a vector {apart[row]:.2g} from the model's (limit {SCORE_TOLERANCE})"
            raise ReleaseError("parity", Fault(what, f"row {row} in batches of {size}: {requests.describe(row)}", REMEDY))
        largest = max(largest, float(apart[row]))
    return largest
