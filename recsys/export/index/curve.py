"""An index in a bundle: recall and latency of each setting. V catalogue rows, Q queries, D dim, K answers, S settings."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recsys.disk import write_whole
from recsys.errors import DataError, Fault
from recsys.export.index.base import SearchIndex
from recsys.report.draw import ACCENT, FAINT, INK, WARM, WIDTH, drawing
from recsys.serve.search import Index

SCORES_AT_ONCE = 2**25
"""Exact scores in memory, 128 MiB."""
EXACT_CALLS = 200
"""Queries at most that exact search is timed on."""
DASHED = (0, (4, 3))
Exact = Callable[[np.ndarray], object]
"""The best K of the catalogue for [1, D] float32, exactly, as it would be served."""


def write_index(folder: Path, index: SearchIndex, vectors: np.ndarray, item_ids: np.ndarray, queries: np.ndarray, exact: Exact) -> dict:
    """Build an index, measure it, write index.faiss, index_ids.npy and the picture index.svg, and return manifest["index"].

    Args:
        item_ids: [V] raw ids, int64 or strings; [0] is the missing value. The others are as in `index_figures`.
    Raises:
        DataError, ConfigError: as in `SearchIndex.build`; or ids that numpy cannot keep.
    """
    ids = plain_ids(item_ids)
    content = index.build(vectors)
    (folder / "index.faiss").write_bytes(content)
    np.save(folder / "index_ids.npy", ids, allow_pickle=False)
    entry = index_figures(index, content, vectors, queries, exact)
    draw(entry, folder / "index.svg")
    return entry


def plain_ids(item_ids: np.ndarray) -> np.ndarray:
    """[V] int64, or strings of one width, which numpy loads without unpickling; a DataError where one ends with NUL, which it would cut."""
    if item_ids.dtype.kind in "iu":
        return item_ids.astype(np.int64)
    if cut := [text for text in item_ids.tolist() if text.endswith("\0")]:
        what = f"{len(cut)} item ids end with the character NUL, the first {cut[0]!r}; index_ids.npy cannot hold them"
        raise DataError(Fault(what, "item ids of the store", "give these items other ids, or export without an index (index=null)"))
    return item_ids.astype(np.str_)


def index_figures(index: SearchIndex, content: bytes, vectors: np.ndarray, queries: np.ndarray, exact: Exact) -> dict:
    """What the manifest says of an index.

    Args:
        content: from `index.build(vectors)`.
        vectors: [V, D] float32; row 0 pads.
        queries: [Q, D] float32 of real users, asked one by one on one thread; a thousand tell recall to the third digit.
        exact: is timed, not compared with.
    Returns:
        kind, k, min_recall, queries (their number), curve (setting, recall, p50_ms and p99_ms each), exact_p50_ms; recall and chosen
        of the cheapest setting that reaches min_recall. With none chosen is None, recall the best that was reached, and refusal says
        what to do.
    """
    if len(queries) == 0:
        raise ValueError("recall is measured on queries, got none; pass the vectors of some users")
    queries = np.ascontiguousarray(queries, np.float32)
    answers, latencies = zip(*(_answers_and_latency(index, content, setting, queries) for setting in index.settings))
    shares = recall(np.stack(answers), vectors, queries)
    curve = [
        {index.setting: setting, "recall": round(share, 5), **latency}
        for setting, share, latency in zip(index.settings, shares.tolist(), latencies, strict=True)
    ]
    exact_ms = _milliseconds(exact, queries[:EXACT_CALLS])
    about = {"kind": index.kind, "k": index.k, "min_recall": index.min_recall, "queries": len(queries)}
    return {**about, **cheapest_setting(index, shares, curve), "curve": curve, "exact_p50_ms": round(float(np.median(exact_ms)), 4)}


def cheapest_setting(index: SearchIndex, shares: np.ndarray, curve: list[dict]) -> dict:
    """The cheapest setting that finds enough by its recall [S], which is not rounded; `refusal` is why there is none."""
    enough = np.flatnonzero(shares >= index.min_recall)
    if len(enough):
        best = curve[enough[0]]
        return {"chosen": {index.setting: best[index.setting]}, "recall": best["recall"]}
    best = curve[int(shares.argmax())]
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
    number = min(answers.shape[2], len(vectors) - 1)
    hits = np.zeros(len(answers), np.int64)
    rows = max(SCORES_AT_ONCE // len(vectors), 1)
    for start in range(0, len(queries), rows):
        scores = queries[start : start + rows] @ vectors.T  # [n, V]
        scores[:, 0] = -np.inf
        last = np.partition(scores, len(vectors) - number, axis=1)[:, len(vectors) - number]  # [n]
        at = answers[:, start : start + rows]
        reached = np.take_along_axis(scores[None], np.maximum(at, 0), axis=2)  # [S, n, K]; of none the padding's -inf
        hits += (reached >= last[:, None]).sum((1, 2))
    return hits / (len(queries) * number)


def _answers_and_latency(index: SearchIndex, content: bytes, setting: int, queries: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """[Q, K] answers at one setting, and their latency."""
    serving = Index(content, {index.setting: setting}, threads=1)
    rows = []
    spent = _milliseconds(lambda query: rows.append(serving.search(query, index.k)[1]), queries)
    p50, p99 = np.percentile(spent, (50, 99))
    return np.concatenate(rows[-len(queries) :]), {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}


def _milliseconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> np.ndarray:
    """[Q] milliseconds of each query by itself, after a few that are not counted."""
    spent = np.empty(len(queries))
    for at in [*range(min(10, len(queries))), *range(len(queries))]:
        started = time.perf_counter()
        search(queries[at : at + 1])
        spent[at] = time.perf_counter() - started
    return 1e3 * spent


def draw(entry: dict, path: Path) -> None:
    """Write the curve of an index as SVG, one point per setting and a line for exact search, the same bytes for the same figures.

    Args:
        entry: as from `index_figures`.
    """
    (setting,) = entry["curve"][0].keys() - {"recall", "p50_ms", "p99_ms"}
    with drawing(2 * WIDTH, 4.6) as drawn:
        axes = drawn.figure.subplots()
        _points(axes, entry, setting)
        _limits(axes, entry)
        axes.set_xscale("log")
        for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            formatter(lambda ms, _: f"{ms:g}" if f"{ms:.0e}"[0] in "125" else "")
        axes.set_xlabel("median latency of one query on one thread [ms, log scale]")
        axes.set_ylabel(f"recall of the exact best {entry['k']}")
        axes.set_title(f"{entry['kind']} against exact search, {entry['queries']:,} queries", fontweight="bold")
        axes.grid(which="major", color=FAINT, linewidth=0.4)
        axes.tick_params(axis="x", which="both", length=3.5, pad=4)
        axes.legend(loc="lower right", framealpha=0.9)
        axes.set_axisbelow(True)
    write_whole(path, drawn.svg)


def _points(axes: Any, entry: dict, setting: str) -> None:
    latency, recall = ([point[key] for point in entry["curve"]] for key in ("p50_ms", "recall"))
    axes.plot(latency, recall, color=ACCENT, marker="o", markersize=5, linewidth=1.8, label=f"{entry['kind']}, by {setting}", zorder=3)
    for point in entry["curve"]:
        at, is_chosen = (point["p50_ms"], point["recall"]), entry["chosen"] == {setting: point[setting]}
        colour, weight = (WARM, "bold") if is_chosen else (ACCENT, "normal")
        if is_chosen:
            text = f"chosen: {setting}={point[setting]}, recall {point['recall']:.4f}, {point['p50_ms']:.2f} ms"
            axes.plot(*at, "o", color=WARM, markersize=10, label=text, zorder=4)
        axes.annotate(f"{point[setting]}", at, xytext=(8, -12), textcoords="offset points", color=colour, fontweight=weight)


def _limits(axes: Any, entry: dict) -> None:
    """Both limits as lines, and room around what matters: settings of far too small a recall lie below the picture."""
    exact_ms, floor = entry["exact_p50_ms"], entry["min_recall"]
    axes.axhline(floor, color=WARM, linestyle=DASHED, linewidth=1.2, label=f"wanted: recall of {floor:g}")
    axes.axvline(exact_ms, color=INK, linewidth=1.8, label=f"exact search: recall 1, {exact_ms:.2f} ms")
    recalls = [point["recall"] for point in entry["curve"]]
    lowest = max(min(recalls), min(max(recalls), 1 - 20 * (1 - floor)))
    room = 0.06 * max(1 - lowest, 1 - floor, 1e-3)
    axes.set_ylim(min(lowest, floor) - 2 * room, 1 + room)
    visible = [exact_ms, *(point["p50_ms"] for point in entry["curve"] if point["recall"] >= lowest)]
    axes.set_xlim(min(visible) / 1.25, max(visible) * 1.25)
