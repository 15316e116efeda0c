"""Answers of a graph to many rows beside those of torch. B rows, K answers, V catalogue rows, E excluded ids."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch

from benchmarks.clock import now
from benchmarks.pools import Pools
from benchmarks.random_rows import long_tail
from recsys.export.preprocessing import id_dtype, raw_array
from recsys.export.requests import Requests, requests
from recsys.serve.golden import difference
from recsys.task.ranking.export.graph import Served
from recsys.task.retrieval.export.parity import expect, wrong_list

TORCH_ROWS = 1_024
"""Rows of a batch of torch, whatever those of the graph."""
CUT_OFF = 20
"""Length of the lists whose recall is counted."""


@dataclass
class Tally:
    """What was counted in one way of asking.

    Attributes:
        requests: rows asked.
        seconds: of the graph alone.
        apart: largest difference in a score or a probability.
        identical: lists equal item for item.
        exchanged: lists that differ in items of equal score alone.
        errors: rows that failed, were answered with no finite number, or with a wrong list.
        first: what the first error was.
    """

    requests: int = 0
    seconds: float = 0.0
    apart: float = 0.0
    identical: int = 0
    exchanged: int = 0
    errors: int = 0
    first: str = ""

    def fail(self, rows: int, what: str) -> None:
        """Count rows as errors."""
        self.errors += rows
        self.first = self.first or what


@dataclass
class Both:
    """A sum of the same metric from both sides."""

    graph: float = 0.0
    torch: float = 0.0
    rows: int = 0


class Retrieval:
    """Draws users, and compares lists.

    Args:
        k: length of the lists.
    """

    def __init__(self, pools: Pools, k: int):
        self.pools, self.k, self.recall = pools, k, Both()
        section = pools.retriever
        self.vectors = section.model.catalogue(section.item_features)  # [V, D]
        self.ids = raw_array(section.item_ids, id_dtype(section.item_ids))
        self.index_of = {value: at for at, value in enumerate(self.ids.tolist())}

    @torch.inference_mode()
    def ask(self, graph: onnxruntime.InferenceSession, number: int, size: int, generator: np.random.Generator, tally: Tally) -> None:
        """So many users in batches of `size`."""
        pools = self.pools
        at = long_tail(len(pools.exclude), number, generator)
        some = {column: values[at] for column, values in pools.users.items()}
        asked = requests(some, pools.schema.of("user"), pools.schema, pools.vocabularies, generator)
        excluded = pools.exclude[at]
        extra = {"exclude": self.ids[excluded]}
        found = answered(graph, ["items", "scores"], asked, extra, {"k": np.array([self.k])}, size, tally)
        if found is None:
            return
        for start in range(0, number, TORCH_ROWS):
            rows = slice(start, start + TORCH_ROWS)
            self._compare(found[0][rows], found[1][rows], {c: v[rows] for c, v in asked.index.items()}, excluded[rows], at[rows], tally)

    def _compare(self, items: np.ndarray, scores: np.ndarray, index: dict, excluded: np.ndarray, at: np.ndarray, tally: Tally) -> None:
        users = self.pools.retriever.model.users(index)
        all_scores = users @ self.vectors.T  # [B, V]
        all_scores.scatter_(1, torch.from_numpy(np.pad(excluded, ((0, 0), (1, 0)))), -torch.inf)  # padding is row 0
        want = all_scores.topk(self.k).indices.numpy()
        want_items = self.ids[want]
        same = (items == want_items).all(1)
        tally.identical += int(same.sum())
        got = want.copy()
        for row in np.flatnonzero(~same).tolist():
            got[row] = [self.index_of.get(item, 0) for item in items[row].tolist()]
            right = expect(users[row : row + 1].numpy(), self.vectors.numpy(), [excluded[row]], self.k)[0]
            fault = wrong_list(got[row], right)
            tally.exchanged += fault is None
            if fault is not None:
                tally.fail(1, f"retriever.onnx {fault}")
        apart = difference(scores, np.take_along_axis(all_scores.numpy(), got, 1))
        broken = ~np.isfinite(apart).all(1)
        if broken.any():
            tally.fail(int(broken.sum()), "retriever.onnx gives scores that are not finite")
        tally.apart = max(tally.apart, float(apart[~broken].max(initial=0.0)))
        relevant = self.pools.relevant[at]
        known = (relevant > 0).any(1)
        self.recall.graph += recall(items[known], self.ids[relevant[known]], self.ids[0])
        self.recall.torch += recall(want_items[known], self.ids[relevant[known]], self.ids[0])
        self.recall.rows += int(known.sum())


class Ranking:
    """Draws impressions, and compares predictions.

    Args:
        number: rows that will be asked in all.
    """

    def __init__(self, pools: Pools, number: int):
        self.pools = pools
        self.served = Served(pools.ranker.model, pools.ranker.calibrations, pools.schema).eval()
        self.units = np.array(self.served.units())[:, None]
        self.first = np.full((3, number), np.nan, np.float32)
        """The first label as the graph and torch predict it, and as it was; all its memory is taken now."""
        self.done = 0

    @torch.inference_mode()
    def ask(self, graph: onnxruntime.InferenceSession, number: int, size: int, generator: np.random.Generator, tally: Tally) -> None:
        """So many impressions in batches of `size`."""
        pools, names = self.pools, list(self.served.outputs)
        at = long_tail(len(pools.labels), number, generator)
        some = {feature.column: pools.rows[feature.column][at] for feature in self.served.features}
        asked = requests(some, self.served.features, pools.schema, pools.vocabularies, generator)
        found = answered(graph, names, asked, {}, {}, size, tally)
        if found is None:
            return
        parts = [
            torch.stack(self.served({column: values[start : start + TORCH_ROWS] for column, values in asked.index.items()}))
            for start in range(0, number, TORCH_ROWS)
        ]
        got, want = np.stack(found), torch.cat(parts, 1).numpy()  # [outputs, B]
        apart = difference(got / self.units, want / self.units)
        broken = ~np.isfinite(apart).all(0)
        if broken.any():
            tally.fail(int(broken.sum()), "ranker.onnx predicts what is not finite")
        tally.apart = max(tally.apart, float(apart[:, ~broken].max(initial=0.0)))
        self.first[:, self.done : self.done + number] = got[0], want[0], pools.labels[at]
        self.done += number


def answered(
    graph: onnxruntime.InferenceSession,
    names: list[str],
    asked: Requests,
    extra: Mapping[str, np.ndarray],
    fixed: Mapping[str, np.ndarray],
    size: int,
    tally: Tally,
) -> list[np.ndarray] | None:
    """Each output of the graph over all rows, in batches of `size`; None where a batch failed.

    Args:
        extra: by row, beside the raw columns.
        fixed: the same at each call.
    """
    columns, parts = asked.raw | extra, []
    starts = range(0, len(asked), size)
    tally.requests += len(asked)
    feeds = [{column: values[start : start + size] for column, values in columns.items()} | fixed for start in starts]
    started = now()
    try:
        for feed in feeds:
            parts.append(graph.run(names, feed))
    except Exception as error:  # onnxruntime's exceptions have no common class; a benchmark counts them
        tally.fail(len(asked) - size * len(parts), f"{type(error).__name__}: {error}")
        return None
    tally.seconds += now() - started
    return [np.concatenate(part) for part in zip(*parts)]


def recall(items: np.ndarray, relevant: np.ndarray, padding: str | int) -> float:
    """Sum over rows of the share of relevant ids [B, R] among the first 20 items [B, K]."""
    wanted = relevant != padding
    hit = (relevant[:, :, None] == items[:, None, :CUT_OFF]).any(2) & wanted
    return float((hit.sum(1) / wanted.sum(1)).sum())
