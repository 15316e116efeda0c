"""A million requests of real shape to retriever.onnx and ranker.onnx, every answer compared with torch on the same rows. V items."""

import gc
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks.answers import CUT_OFF, Ranking, Retrieval, Tally
from benchmarks.base import options, show
from benchmarks.memory import give_back, memory
from benchmarks.pools import Pools, of_runs, of_the_shop
from recsys.errors import ConfigError, Fault
from recsys.metric import binary

K = 100
TASKS = {"retriever": 0.3, "ranker": 0.7}
SHARES = {1: 0.04, 7: 0.16, 64: 0.3, 1024: 0.5}
"""{rows of a batch: share of a task's requests}: the slower, the fewer, so that all take minutes."""
THREADS = (1, 2)
ROUNDS = 10
"""Each asks in all ways; memory is looked at after the first and the last."""


def main(arguments: list[str]) -> None:
    """Ask in all ways, in rounds; the table."""
    parser = options("requests", __doc__)
    parser.add_argument("--number", type=int, default=1_000_000, help="requests, of one row each, in all (default: %(default)s)")
    parser.add_argument("--run", type=Path, help="finished retrieval run (default: a model of the shop's columns, random weights and rows)")
    parser.add_argument("--ranker", type=Path, help="finished ranking run of the same data")
    chosen = parser.parse_args(arguments)
    if (chosen.run is None) != (chosen.ranker is None):
        raise ConfigError(Fault("one of --run and --ranker is missing", "arguments", "give both runs, or none"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pools = of_the_shop(folder, K) if chosen.run is None else of_runs(chosen.run, chosen.ranker, K)
        graphs = written(pools, folder)
    tallies = {(task, size, threads): Tally() for task in TASKS for size in SHARES for threads in THREADS}
    each = {way: max(1, round(chosen.number / len(THREADS) / ROUNDS * TASKS[way[0]] * SHARES[way[1]])) for way in tallies}
    retrieval = Retrieval(pools, K)
    ranking = Ranking(pools, ROUNDS * sum(number for (task, *_), number in each.items() if task == "ranker"))
    generator, used = np.random.default_rng(0), []
    for _ in range(ROUNDS):
        for way, tally in tallies.items():
            task, size, threads = way
            asking = retrieval if task == "retriever" else ranking
            asking.ask(graphs[task, threads], each[way], size, generator, tally)
        used.append(in_use())
    table(tallies, retrieval, ranking, used)


def written(pools: Pools, folder: Path) -> dict[tuple[str, int], onnxruntime.InferenceSession]:
    """{(graph, threads): session}; the export compares each with its model first."""
    sessions = {}
    for task, section in {"retriever": pools.retriever, "ranker": pools.ranker}.items():
        section.write(folder, pools.schema, pools.vocabularies, {})
        for threads in THREADS:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            sessions[task, threads] = onnxruntime.InferenceSession(folder / f"{task}.onnx", options, providers=["CPUExecutionProvider"])
    return sessions


def in_use() -> int:
    """Bytes of this process, what was freed apart."""
    gc.collect()
    give_back()
    return memory("RssAnon")


def table(tallies: dict[tuple[str, int, int], Tally], retrieval: Retrieval, ranking: Ranking, used: list[int]) -> None:
    """A row per way of asking, and what is left to say."""
    rows = []
    for (task, size, threads), tally in tallies.items():
        lists = (f"{tally.identical:,}", f"{tally.exchanged:,}") if task == "retriever" else ("", "")
        speed = f"{tally.requests / tally.seconds:,.0f}" if tally.seconds else ""
        rows.append((f"{task} {size} x {threads}", f"{tally.requests:,}", f"{tally.apart:.1e}", *lists, f"{tally.errors:,}", speed))
    total, errors = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("requests", "errors"))
    done = torch.from_numpy(ranking.first[:, : ranking.done])
    from_graph, from_torch = (binary.tally(predicted, done[2]).auc() for predicted in done[:2])
    recalls = [hits / max(retrieval.recall.rows, 1) for hits in (retrieval.recall.graph, retrieval.recall.torch)]
    notes = (
        "apart: largest difference in a score or probability. identical, exchanged: lists equal, and those but for items of equal score.",
        f"{total:,} requests, {errors:,} errors. 10 % of ids are unknown, 5 % of histories empty, some rows come more often than others.",
        *(f"First error of {name} {size} x {threads}: {tally.first}" for (name, size, threads), tally in tallies.items() if tally.first),
        f"recall@{CUT_OFF}: graph {recalls[0]:.6f}, torch {recalls[1]:.6f}. AUC: graph {from_graph:.6f}, torch {from_torch:.6f}.",
        f"Memory: {used[0] / 2**20:,.1f} MiB after the first tenth, {used[-1] / 2**20:,.1f} MiB at the end: {used[-1] / used[0] - 1:+.2%}.",
        "Goal: differences at most 1e-5 of a score and 1e-6 of a probability, no error, equal metrics, memory growth below 1 %.",
    )
    columns = ("batch x threads", "requests", "apart", "identical", "exchanged", "errors", "requests/s")
    show(f"Requests answered as by torch, the best {K} of the catalogue, and labels of a row", columns, rows, notes)
