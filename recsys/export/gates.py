"""Gates that a bundle has to pass before it is published."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from recsys.errors import GATES, ConfigError, Fault, ReleaseError, count_text, name_list, nearest

REPLAY_SECONDS = 300
FEWEST_USERS, OF_POPULARITY, OF_KNOWN = 100, 0.5, 0.9
"""Users below which a mean recall says too little; shares of other recalls, of which lists of unknown users must reach one."""
PACKAGE = Path(__file__).parents[1]
"""A new process finds this package beside it, installed or not."""


@dataclass(frozen=True)
class Gate:
    """One check and how it ended, for the manifest and the screen.

    Attributes:
        gate: of `GATES`; several checks may share one.
        limit: the condition.
        found: the measurement, or the failure.
        remedy: for a failure.
    """

    gate: str
    passed: bool
    limit: str
    found: str
    remedy: str

    def line(self) -> dict:
        """The check in a manifest."""
        return {name: value for name, value in asdict(self).items() if name != "remedy"}


def refuse(gates: Sequence[Gate], folder: Path) -> None:
    """A ReleaseError with every gate that was not passed; its exit code is that of the first in the order of `GATES`."""
    failed = sorted((gate for gate in gates if not gate.passed), key=lambda gate: list(GATES).index(gate.gate))
    if failed:
        faults = [Fault(f"{gate.gate}: {gate.found}", f"{folder}; wanted: {gate.limit}", gate.remedy) for gate in failed]
        raise ReleaseError(failed[0].gate, *faults)


def parity_gate(manifest: Mapping[str, dict], facets: Sequence[ModuleType]) -> Gate:
    """Graphs answer like the model; a difference was refused as it was found.

    Args:
        manifest: of the bundle so far; "weights" of a comparison names its graphs, where these are not the published ones.
        facets: of the bundle's tasks; see `recsys.export.section`.
    """
    figures = [manifest[part.PARITY] for part in facets]
    limits, differences = zip(*(part.parity_words(each) for part, each in zip(facets, figures)))
    weights = [each["weights"] for each in figures if "weights" in each]
    return Gate("parity", True, "; ".join([*limits, *weights[:1]]), "; ".join(differences), "")


def replayed(folder: Path) -> dict:
    """What `recsys.serve.replay` says of a bundle, in a new process; a ReleaseError with its last line where the process ends early."""
    command = [sys.executable, "-m", "recsys.serve.replay", str(folder.resolve())]
    remedy = f"run it by hand to see all it prints: {' '.join(command)}"
    try:
        done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=REPLAY_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ReleaseError("golden", Fault(f"the replay took more than {REPLAY_SECONDS} s", str(folder), remedy)) from error
    if done.returncode in (0, 1):
        with suppress(ValueError):  # a process that was ended by an exception has code 1 too
            return json.loads(done.stdout)
    last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
    raise ReleaseError("golden", Fault(f"a new process cannot serve the bundle: {last}", str(folder), remedy))


def golden_gate(counts: Mapping[str, int], wrong: Mapping[str, Sequence[str]]) -> Gate:
    """A new process gives the golden answers: {task: number of requests}, {task: sentences about those that were answered differently}."""
    limit = f"{count_text(sum(counts.values()), 'request')} answered alike in a new process"
    faults = [f"no request of {task} was replayed" for task in counts if task not in wrong]
    faults += [sentence for task in wrong.values() for sentence in task]
    outcome = f"{len(faults):,} answered differently: {name_list(faults, 3)}" if faults else "all"
    return Gate("golden", not faults, limit, outcome, "export again, and report the request if it stays")


def floor_gates(metrics: Mapping[str, float | None], minimum: Mapping[str, float]) -> list[Gate]:
    """Metrics are not below their floors; None, one that is not finite, is. A ConfigError names floors of metrics that do not exist."""
    unknown = [name for name in minimum if name not in metrics]
    if unknown:
        where = "these weights have metrics such as " + name_list(sorted(metrics), 3)
        raise ConfigError(*(Fault(f"no metric is called '{name}'{nearest(name, metrics)}", "gate.min", where) for name in unknown))
    gates = []
    for name, floor in minimum.items():
        value = metrics[name]
        outcome = f"{name} is not finite" if value is None else f"{name} {value:.4g}"
        passed = value is not None and value >= floor
        gates.append(Gate("floor", passed, f"{name} at least {floor:g}", outcome, "train a better model, or lower the floor"))
    return gates


def latency_gates(latency: Mapping[str, dict], p99_ms: float | None) -> list[Gate]:
    """One request on one thread is quick enough, of each part."""
    if p99_ms is None:
        return []
    remedy = "make the model smaller, quantize=..., or raise gate.p99_ms; on a busy machine, export again"
    return [
        Gate("latency", part["p99_ms"] <= p99_ms, f"p99 of the {name} at most {p99_ms:g} ms", f"{part['p99_ms']:.2f} ms", remedy)
        for name, part in latency.items()
        if isinstance(part, dict)
    ]


def unknown_gate(figures: Mapping[str, float]) -> Gate:
    """Users whom training never saw get lists that are no noise; for too few users it says so, and is passed.

    Args:
        figures: "k", "users", and recalls: "recall" under an unknown id, of "popularity", and under the "known" id.
    """
    wanted = min(OF_POPULARITY * figures["popularity"], OF_KNOWN * figures["known"])
    limit = f"unknown users: recall@{figures['k']} at least {OF_POPULARITY:g} of popularity's, or {OF_KNOWN:g} of known users'"
    few = figures["users"] < FEWEST_USERS
    values = f"{figures['recall']:.4f}; popularity {figures['popularity']:.4f}, known users {figures['known']:.4f}"
    outcome = f"{values}, of {count_text(figures['users'], 'user')}" + (": too few to tell" if few else "")
    remedy = "train again: this version fills in what training leaves unknown; model.id_dropout=0.1 lets it learn"
    return Gate("unknown", few or figures["recall"] >= wanted, limit, outcome, remedy)


def index_gate(index: Mapping) -> Gate:
    """Approximate search finds enough of the items that exact search finds."""
    limit = f"{index['kind']} finds {index['min_recall']} of the best {index['k']}"
    if index["chosen"] is None:
        return Gate("index", False, limit, index["refusal"], "choose another index=..., or none")
    (setting,) = (point for point in index["curve"] if index["chosen"].items() <= point.items())
    times = f"p50 {setting['p50_ms']:.2f} ms; exact {index['exact_p50_ms']:.2f} ms"
    chosen = ", ".join(f"{name}={value}" for name, value in index["chosen"].items())
    return Gate("index", True, limit, f"{index['recall']:.4f} at {chosen}, {times}", "")


def size_gates(folder: Path, size_mb: float | None) -> list[Gate]:
    """All files together are small enough; megabytes of 1,000,000 bytes."""
    if size_mb is None:
        return []
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    remedy = "fewer dimensions, hash buckets for the largest vocabulary, quantize=int8_tables, or a larger gate.size_mb"
    return [Gate("size", size <= size_mb, f"at most {size_mb:g} MB", f"{size:.2f} MB", remedy)]
