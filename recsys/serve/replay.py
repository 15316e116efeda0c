"""Does a bundle still answer its golden requests, and how fast?   python -m recsys.serve.replay <bundle>

Run in a process of its own, by an export before it publishes and by whoever wants to know that his machine serves what was released.
"""

import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet

from recsys.serve import BundleError, Ranker, Retriever
from recsys.serve.golden import answer_of, list_faults, prediction_faults
from recsys.serve.manifest import read_bundle

TOLERANCE = {"retrieval": 1e-5, "ranking": 1e-6}
"""Largest difference of a score and of a probability, relative where the magnitude is above 1: processors add in different orders."""
INDEX_TOLERANCE = 0.02
"""Golden lists are few, and shorter than those that recall was measured on."""
CANDIDATES = 200
REQUESTS = 500
"""Single requests that are timed, after a tenth as many that are not."""


def replay(folder: Path) -> dict:
    """Ask every golden request, then time single ones on one thread; a BundleError where a file is not the one that was exported.

    Returns:
        "wrong": {task: sentences, one per request that is answered differently}; "latency": milliseconds to load the bundle and give
        a first answer ("start_ms"), and of one request of each task {"requests", "p50_ms", "p99_ms"}, in which a ranker has one user
        and `CANDIDATES` rows.
    """
    _, files = read_bundle(folder, keep=("golden.parquet",))
    rows = pyarrow.parquet.read_table(io.BytesIO(files["golden.parquet"])).to_pylist()
    wrong: dict[str, list[str]] = {}
    latency: dict[str, dict] = {}
    start_s = 0.0
    for task, part, check in (("retrieval", "retriever", _retrieval), ("ranking", "ranker", _ranking)):
        mine = [{name: value for name, value in row.items() if name != "task"} for row in rows if row["task"] == task]
        if mine:
            begun = time.perf_counter()
            first, faults, call = check(folder, mine)
            start_s += first - begun
            wrong[task] = [f"{task} {fault}" for fault in faults]
            latency[part] = _timed(call) | ({"candidates": CANDIDATES} if part == "ranker" else {})
    return {"wrong": wrong, "latency": {"start_ms": round(1e3 * start_s, 1), **latency}}


def _retrieval(folder: Path, rows: list[dict]) -> tuple[float, list[str], Callable[[int], object]]:
    retriever = Retriever(folder)
    requests = [{name: row[name] for name in retriever.fields} for row in rows]
    k = max(len(row["answer/items"]) for row in rows)
    retriever.recommend(requests[:1], k=k)
    first = time.perf_counter()
    wrong = list_faults(retriever, rows, TOLERANCE["retrieval"])
    if "index" in retriever.manifest:
        wrong += _index_faults(Retriever(folder, search="index"), rows, k)

    def one(number: int) -> object:
        at = number % len(rows)
        return retriever.recommend([requests[at]], k=k, exclude=[rows[at]["exclude"]])

    return first, wrong, one


def _index_faults(retriever: Retriever, rows: list[dict], k: int) -> list[str]:
    """A sentence if approximate search finds fewer of the golden items than it was released with."""
    # one by one, as they were measured: in int8 a vector depends on the rows that it is computed beside
    hits = sum(len({*answer_of(retriever, row, k).items} & {*row["answer/items"]}) for row in rows)
    share, released = hits / max(1, sum(len(row["answer/items"]) for row in rows)), retriever.manifest["index"]["recall"]
    return [f"index finds {share:.4f} of the golden items, released with {released}"] if share < released - INDEX_TOLERANCE else []


def _ranking(folder: Path, rows: list[dict]) -> tuple[float, list[str], Callable[[int], object]]:
    ranker = Ranker(folder)
    users = [{name: row[name] for name in ranker.user_fields} for row in rows]
    candidates = [{name: row[name] for name in ranker.row_fields} for row in (rows * CANDIDATES)[:CANDIDATES]]
    ranker.predict(candidates[:1], user=users[0])
    first = time.perf_counter()
    wrong = prediction_faults(ranker, rows, TOLERANCE["ranking"])
    return first, wrong, lambda number: ranker.predict(candidates, user=users[number % len(users)])


def _timed(call: Callable[[int], object]) -> dict[str, float]:
    seconds = []
    for number in range(-REQUESTS // 10, REQUESTS):
        started = time.perf_counter()
        call(number % REQUESTS)
        if number >= 0:
            seconds.append(time.perf_counter() - started)
    p50, p99 = (round(1e3 * float(value), 3) for value in np.percentile(seconds, [50, 99]))
    return {"requests": REQUESTS, "p50_ms": p50, "p99_ms": p99}


def main(arguments: Sequence[str]) -> int:
    """Print what was found as JSON; 0 if every answer is the golden one, 1 if not, 2 for wrong arguments, 4 for a damaged bundle."""
    if len(arguments) != 1:
        print("usage: python -m recsys.serve.replay BUNDLE", file=sys.stderr)
        return 2
    try:
        outcome = replay(Path(arguments[0]))
    except BundleError as error:
        print(error, file=sys.stderr)
        return 4
    print(json.dumps(outcome))
    return int(any(outcome["wrong"].values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
