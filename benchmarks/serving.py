"""Answering one user on one thread: retriever.onnx over the catalogue, and ranker.onnx over its candidates, beside torch and faiss."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch

from benchmarks.base import options, show
from benchmarks.clock import now
from benchmarks.ranker_ways import CANDIDATES, ranker_ways
from benchmarks.retriever_ways import HISTORY, K, retriever_ways
from benchmarks.torch_compile import WITHOUT

NOT_COUNTED = 10
"""First requests of each way; compiling is in them."""


def main(arguments: list[str]) -> None:
    """Export models of random weights and ask them; a table of retrievers by catalogue size, and one of the ranker."""
    parser = options("serving", __doc__)
    sizes = [10_000, 100_000, 1_000_000]
    parser.add_argument("--items", type=int, nargs="+", default=sizes, help="catalogue sizes (default: %(default)s)")
    parser.add_argument("--index-items", type=int, nargs="*", default=sizes[:2], help="of these, those with hnsw (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=1_000, help="of one user each (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    retriever_rows = [row for num_items in chosen.items for row in retrieved(num_items, chosen.requests, num_items in chosen.index_items)]
    show_retriever(retriever_rows, chosen.index_items)
    show_ranker(ranked(chosen.requests))
    torch.set_num_threads(threads)


def retrieved(num_items: int, number: int, with_index: bool) -> list[tuple[str, ...]]:
    """Rows of the first table for one catalogue."""
    ways, recall = retriever_ways(num_items, with_index=with_index)
    shown = {"hnsw": "" if math.isnan(recall) else f"{recall:.4f}"}
    return [(*row, shown.get(row[1], "")) for row in timed(f"{num_items:,}", ways, number)]


def ranked(number: int) -> list[tuple[str, ...]]:
    """Rows of the second table."""
    return timed(f"{CANDIDATES}", ranker_ways(), number)


def timed(size: str, ways: Mapping[str, Callable[[int], object]], number: int) -> list[tuple[str, ...]]:
    """Size, way, p50, p99 and ratio to torch; the ways take turns at each request, so that they share the machine's moods."""
    seconds = {way: np.empty(number) for way in ways}
    for request in range(-NOT_COUNTED, number):
        for way, call in ways.items():
            started = now()
            call(request % 64)
            if request >= 0:
                seconds[way][request] = now() - started
    middle = {way: np.median(spent) for way, spent in seconds.items()}
    return [
        (
            "" if place else size,
            way,
            f"{1e3 * middle[way]:.2f} ms",
            f"{1e3 * np.percentile(spent, 99):.2f} ms",
            f"{middle[way] / middle['torch']:.2f}",
        )
        for place, (way, spent) in enumerate(seconds.items())
    ]


def show_retriever(rows: list[tuple[str, ...]], index_items: list[int]) -> None:
    """The first table."""
    built = ", ".join(f"{number:,}" for number in index_items) or "no size"
    notes = (
        "graph: onnxruntime alone. recommend: recsys.serve, from a dict to lists. compiled: torch.compile of torch, compiling not counted.",
        f"product: vectors times one user, the least to do. hnsw: user tower and faiss, asked for {K + 1 + HISTORY} over vectors as "
        f"trained models have them, with its recall at {K}; built for {built} (--index-items: a million takes long to build).",
        *without_compiler(rows),
        "Goal: the graph's p50 at most 3 ms for 100,000 items.",
    )
    title = f"One user, the best {K} of the catalogue, {HISTORY} items excluded, 64 dimensions, one thread"
    show(title, ("items", "", "p50", "p99", "/ torch", "recall"), rows, notes)


def show_ranker(rows: list[tuple[str, ...]]) -> None:
    """The second table."""
    notes = (
        "graph: onnxruntime alone, with one row of the user. predict: recsys.serve, from arrays to lists. torch: eager, all rows whole.",
        *without_compiler(rows),
        "Goal: the graph at least 2 times as fast as torch, so / torch at most 0.50.",
    )
    show(
        f"One user, {CANDIDATES} candidates, the shop's ranking model, one thread", ("candidates", "", "p50", "p99", "/ torch"), rows, notes
    )


def without_compiler(rows: list[tuple[str, ...]]) -> tuple[str, ...]:
    """What to say where nothing was compiled."""
    return () if any(row[1] == "compiled" for row in rows) else (WITHOUT,)
