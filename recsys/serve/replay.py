"""Does a bundle still answer its golden requests, and how fast?   python -m recsys.serve.replay <bundle>

Run in a process of its own, by an export before it publishes and by whoever wants to know that his machine serves what was released.
"""

import io
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from recsys.serve import BundleError, Ranker, Retriever
from recsys.serve.manifest import read_bundle

TOLERANCE = {"retrieval": 1e-5, "ranking": 1e-6}
"""Largest difference of a score and of a probability, relative where the magnitude is above 1: processors add in different orders."""
INDEX_TOLERANCE = 0.02
"""Golden lists are few, and shorter than those that recall was measured on."""
CANDIDATES = 200
REQUESTS = 500
"""Single requests that are timed, after a tenth as many that are not."""


def replay(folder: Path) -> dict:
    """Ask every golden request, then time single ones on one thread.

    Returns:
        "wrong": {task: sentences, one per request that is answered differently}; "latency": milliseconds to load the bundle and give
        a first answer ("start_ms"), and of one request of each task {"requests", "p50_ms", "p99_ms"}, in which a ranker has one user
        and `CANDIDATES` rows.
    Raises:
        BundleError: a file is not the one that was exported.
    """
    _, files = read_bundle(folder, keep=("golden.parquet",))
    rows = pyarrow.parquet.read_table(io.BytesIO(files["golden.parquet"])).to_pylist()
    started = time.perf_counter()
    wrong, latency, start = {}, {}, 0.0
    for task, check in {"retrieval": _retrieval, "ranking": _ranking}.items():
        mine = [{name: value for name, value in row.items() if name != "task"} for row in rows if row["task"] == task]
        if mine:
            first, wrong[task], call = check(folder, mine)
            start += first - started
            of_task = {"retriever": _timed(call)} if task == "retrieval" else {"ranker": {**_timed(call), "candidates": CANDIDATES}}
            latency |= of_task
            started = time.perf_counter()
    return {"wrong": wrong, "latency": {"start_ms": round(1e3 * start, 1), **latency}}


def _retrieval(folder: Path, rows: list[dict]) -> tuple[float, list[str], Callable[[int], object]]:
    retriever = Retriever(folder)
    asked = [{name: row[name] for name in retriever.fields} for row in rows]
    k = max(len(row["answer/items"]) for row in rows)
    retriever.recommend(asked[:1], k=k)
    first = time.perf_counter()
    wrong, exclude = [], [row["exclude"] for row in rows]
    for number, row in enumerate(rows):
        (got,) = retriever.recommend(asked[number : number + 1], k=k, exclude=exclude[number : number + 1])
        want = dict(zip(row["answer/items"], row["answer/scores"]))
        if fault := _wrong_list(got.items, got.scores, want):
            wrong.append(f"retrieval request {number}: {fault}")
    if "index" in retriever.manifest:
        wrong += _index_faults(Retriever(folder, search="index"), asked, rows, k)

    def one(number: int) -> object:
        at = number % len(asked)
        return retriever.recommend(asked[at : at + 1], k=k, exclude=exclude[at : at + 1])

    return first, wrong, one


def _index_faults(retriever: Retriever, asked: list[dict], rows: list[dict], k: int) -> list[str]:
    """A sentence if approximate search finds fewer of the golden items than it was released with."""
    # one by one, as they were measured: in int8 a vector depends on the rows that it is computed beside
    answers = [retriever.recommend([one], k=k, exclude=[row["exclude"]])[0] for one, row in zip(asked, rows)]
    found = sum(len({*answer.items} & {*row["answer/items"]}) for answer, row in zip(answers, rows))
    share, released = found / max(1, sum(len(row["answer/items"]) for row in rows)), retriever.manifest["index"]["recall"]
    return [f"the index finds {share:.4f} of the golden items, released with {released}"] if share < released - INDEX_TOLERANCE else []


def _wrong_list(items: Sequence[Any], scores: Sequence[float], want: Mapping[Any, float]) -> str | None:
    """What differs, beyond an exchange of items whose scores are equal within the tolerance."""
    expected, limit = list(want.values()), TOLERANCE["retrieval"]
    if len(items) != len(expected):
        return f"{len(items)} items, golden are {len(expected)}"
    for place, (item, got, right) in enumerate(zip(items, scores, expected)):
        # an item that is not among the golden ones may have taken the last place of an equal one
        if not max(_apart(got, right), _apart(want.get(item, expected[-1]), right)) <= limit:
            return f"item {item!r} with score {got} at place {place + 1}, golden is {list(want)[place]!r} with {right}"
    return None


def _ranking(folder: Path, rows: list[dict]) -> tuple[float, list[str], Callable[[int], object]]:
    ranker = Ranker(folder)
    fields = {**ranker.user_fields, **ranker.row_fields}
    asked = [{name: row[name] for name in fields} for row in rows]
    users = [{name: row[name] for name in ranker.user_fields} for row in rows]
    candidates = [{name: row[name] for name in ranker.row_fields} for row in (rows * CANDIDATES)[:CANDIDATES]]
    ranker.predict(asked[:1])
    first = time.perf_counter()
    predicted = [ranker.predict([row]) for row in asked]
    wrong = [
        f"ranking request {number}: predicts '{label}' {got}, golden is {row[f'answer/{label}']}"
        for label in ranker.labels
        for number, (row, answer) in enumerate(zip(rows, predicted))
        for got in answer[label]
        if not _apart(got, row[f"answer/{label}"]) <= TOLERANCE["ranking"]
    ]
    return first, wrong, lambda number: ranker.predict(candidates, user=users[number % len(users)])


def _apart(one: float, other: float) -> float:
    return abs(one - other) / max(1.0, abs(other))


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
        said = replay(Path(arguments[0]))
    except BundleError as error:
        print(error, file=sys.stderr)
        return 4
    print(json.dumps(said))
    return int(any(said["wrong"].values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
