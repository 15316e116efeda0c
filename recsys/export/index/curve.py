"""Recall and latency of an index at each setting, beside exact search. V catalogue rows, Q queries, D dim, K answers, S settings."""

import time
from collections.abc import Callable

import numpy as np

from recsys.export.index.base import SearchIndex
from recsys.serve.index import Index

SCORES_AT_ONCE = 2**25
"""Exact scores in memory, 128 MiB."""
EXACT_CALLS = 200
"""Queries at most that exact search is timed on."""
Exact = Callable[[np.ndarray], object]
"""The best K of the catalogue for [1, D] float32, exactly, as it would be served."""


def measured(index: SearchIndex, content: bytes, vectors: np.ndarray, queries: np.ndarray, exact: Exact) -> dict:
    """What the manifest says of an index.

    Args:
        content: what `index.build(vectors)` gave.
        vectors: [V, D] float32; row 0 pads.
        queries: [Q, D] float32 of real users, asked one by one on one thread; a thousand tell recall to the third digit.
        exact: is timed, not compared with.
    Returns:
        kind, k, min_recall, queries (their number), curve (setting, recall, p50_ms and p99_ms each), exact_p50_ms; recall and chosen
        of the cheapest setting that reaches min_recall. With none chosen is None, recall the best that was reached, and refusal says so.
    """
    if len(queries) == 0:
        raise ValueError("recall is measured on queries, got none; pass the vectors of some users")
    queries = np.ascontiguousarray(queries, np.float32)
    answers, latencies = zip(*(_asked(index, content, setting, queries) for setting in index.settings))
    found = recall(np.stack(answers), vectors, queries)
    curve = [
        {index.setting: setting, "recall": round(share, 5), **latency}
        for setting, share, latency in zip(index.settings, found.tolist(), latencies, strict=True)
    ]
    exact_ms = _milliseconds(lambda query: exact(query), queries[:EXACT_CALLS])
    about = {"kind": index.kind, "k": index.k, "min_recall": index.min_recall, "queries": len(queries)}
    return {**about, **chosen(index, found, curve), "curve": curve, "exact_p50_ms": round(float(np.median(exact_ms)), 4)}


def chosen(index: SearchIndex, found: np.ndarray, curve: list[dict]) -> dict:
    """The cheapest setting that finds enough; `refusal` is why there is none.

    Args:
        found: [S] recall, not rounded.
    """
    enough = np.flatnonzero(found >= index.min_recall)
    if len(enough):
        best = curve[enough[0]]
        return {"chosen": {index.setting: best[index.setting]}, "recall": best["recall"]}
    best = curve[int(found.argmax())]
    refusal = (
        f"{index.kind} finds {best['recall']:.4f} of the best {index.k} at {index.setting}={best[index.setting]}, its best setting; "
        f"want min_recall={index.min_recall}: add larger ones to index.{index.setting}, build a finer index, or leave it out (index=null)"
        f"{index.advice}"
    )
    return {"chosen": None, "recall": best["recall"], "refusal": refusal}


def recall(answers: np.ndarray, vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """[S] share of the exact best K that each setting found, over all queries.

    An answer is right if its exact score is at least the K-th largest, so of items that tie at the end of the list any will do. Where
    the catalogue has fewer than K items all of them are the best.

    Args:
        answers: [S, Q, K] int64 catalogue positions, distinct in a row; -1 is none.
        vectors: [V, D] float32; row 0 pads.
        queries: [Q, D] float32.
    """
    wanted = min(answers.shape[2], len(vectors) - 1)
    hits = np.zeros(len(answers), np.int64)
    rows = max(SCORES_AT_ONCE // len(vectors), 1)
    for start in range(0, len(queries), rows):
        scores = queries[start : start + rows] @ vectors.T  # [n, V]
        scores[:, 0] = -np.inf
        last = np.partition(scores, len(vectors) - wanted, axis=1)[:, len(vectors) - wanted]  # [n]
        at = answers[:, start : start + rows]
        reached = np.take_along_axis(scores[None], np.maximum(at, 0), axis=2)  # [S, n, K]; of none the padding's -inf
        hits += (reached >= last[:, None]).sum((1, 2))
    return hits / (len(queries) * wanted)


def _asked(index: SearchIndex, content: bytes, setting: int, queries: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """[Q, K] answers at one setting, and their latency."""
    serving = Index(content, {index.setting: setting}, threads=1)
    rows = []
    spent = _milliseconds(lambda query: rows.append(serving.search(query, index.k)[1]), queries)
    p50, p99 = np.percentile(spent, (50, 99))
    return np.concatenate(rows[-len(queries) :]), {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}


def _milliseconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> np.ndarray:
    """[Q] of each query alone, after a few that are not counted."""
    spent = np.empty(len(queries))
    for at in [*range(min(10, len(queries))), *range(len(queries))]:
        started = time.perf_counter()
        search(queries[at : at + 1])
        spent[at] = time.perf_counter() - started
    return 1e3 * spent
