"""Golden requests: does a retriever or a ranker still answer them, whatever processor it runs on?

A bundle holds all of them in golden.parquet, for `recsys.serve.replay`, and the first few of each task in golden.json, which is read with
nothing but the standard library and replayed whenever the bundle is opened.
"""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike

from recsys.serve.manifest import GOLDEN, BundleError

if TYPE_CHECKING:
    from recsys.serve.ranker import Ranker
    from recsys.serve.retriever import Answer, Retriever

Faults = Callable[[Sequence[Mapping[str, Any]], float], list[str]]
"""(golden requests with their answers, largest difference) -> one sentence per request that is answered otherwise."""
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
"""Instructions by which onnxruntime chooses its products of 8-bit integers, as Linux names them."""


def check_answers(task: str, manifest: Mapping, files: Mapping[str, bytes], faults: Faults) -> None:
    """Replay the few golden requests of a task; a BundleError with both processors where an answer differs. Early bundles have none."""
    golden = json.loads(files[GOLDEN]).get(task) if GOLDEN in files else None
    wrong = faults(golden["requests"], golden["tolerance"]) if golden else []
    if wrong:
        raise BundleError(
            f"the bundle answers otherwise here than where it was exported: {task} {wrong[0]}; here: {processor_words(processor())}, "
            f"onnxruntime {onnxruntime.__version__}; export: {processor_words(manifest['processor'])}, onnxruntime "
            f"{manifest['versions']['onnxruntime']}; export the run again on a processor like this one, with this onnxruntime"
        )


def answer_of(retriever: "Retriever", row: Mapping[str, Any], k: int) -> "Answer":
    """The answer to one golden request alone."""
    (answer,) = retriever.recommend([{name: row.get(name) for name in retriever.fields}], k=k, exclude=[row["exclude"]])
    assert answer is not None  # None is for bad rows, of which `recommend` raises the first
    return answer


def list_faults(retriever: "Retriever", rows: Sequence[Mapping[str, Any]], limit: float) -> list[str]:
    """Requests whose lists differ from the golden ones, beyond an exchange of items whose scores are equal within the limit.

    Requests are sent one by one, as they were answered: in int8 a vector depends on the rows that it is computed beside.
    """
    k = max(len(row["answer/items"]) for row in rows)
    wrong = []
    for number, row in enumerate(rows):
        got = answer_of(retriever, row, k)
        want = dict(zip(row["answer/items"], row["answer/scores"]))
        if fault := _list_fault(got.items, got.scores, want, limit):
            wrong.append(f"request {number}: {fault}")
    return wrong


def score_faults(retriever: "Retriever", rows: Sequence[Mapping[str, Any]], limit: float) -> list[str]:
    """Requests for which approximate search finds no golden item, or gives one another score."""
    wrong = []
    for number, row in enumerate(rows):
        want = dict(zip(row["answer/items"], row["answer/scores"]))
        got = answer_of(retriever, row, max(1, len(want)))
        shared = {item: score for item, score in zip(got.items, got.scores) if item in want}
        if want and not shared:
            wrong.append(f"request {number}: the index finds none of the {len(want)} golden items")
        others = [item for item, score in shared.items() if not difference(score, want[item]) <= limit]
        wrong += [f"request {number}: item {item!r} with score {shared[item]}, golden is {want[item]}" for item in others[:1]]
    return wrong


def prediction_faults(ranker: "Ranker", rows: Sequence[Mapping[str, Any]], limit: float) -> list[str]:
    """Labels of requests whose predictions differ from the golden ones; requests are sent one by one, as in `list_faults`."""
    fields = {**ranker.user_fields, **ranker.row_fields}
    predicted = [ranker.predict([{name: row.get(name) for name in fields}]) for row in rows]
    return [
        f"request {number}: predicts '{label}' {got}, golden is {row[f'answer/{label}']}"
        for label in ranker.labels
        for number, (row, answer) in enumerate(zip(rows, predicted))
        for got in answer[label]
        if not difference(got, row[f"answer/{label}"]) <= limit
    ]


def difference(one: ArrayLike, other: ArrayLike) -> Any:
    """|one - other|, relative to the magnitude of `other` where that is above 1."""
    return np.abs(np.subtract(one, other)) / np.maximum(1.0, np.abs(other))


def _list_fault(items: Sequence[Any], scores: Sequence[float], want: Mapping[Any, float], limit: float) -> str | None:
    expected = list(want.values())
    if len(items) != len(expected):
        return f"{len(items)} items, golden are {len(expected)}"
    for place, (item, got, right) in enumerate(zip(items, scores, expected)):
        # an item that is not among the golden ones may have taken the last place of an equal one
        if not max(difference(got, right), difference(want.get(item, expected[-1]), right)) <= limit:
            return f"item {item!r} with score {got} at place {place + 1}, golden is {list(want)[place]!r} with {right}"
    return None


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict:
    """Model name and those of `FLAGS` that the processor has: {"model": str, "flags": [str]}; no flags where no such file exists."""
    try:
        lines = cpuinfo.read_text().partition("\n\n")[0].splitlines()  # of the first core
    except OSError:
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    model = facts.get("model name") or platform.processor() or platform.machine()
    return {"model": model, "flags": [flag for flag in FLAGS if flag in flags]}


def processor_words(facts: Mapping) -> str:
    """A processor in one line: `AMD EPYC (avx2)`."""
    return f"{facts['model']} ({', '.join(facts['flags']) or 'none of ' + ', '.join(FLAGS)})"
