"""How a trial ended, from its exit code and the files of its directory: values, or one line that says why there are none."""

import math
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recsys.disk.records import read_record
from recsys.errors import PRUNED, ConfigError, Fault
from recsys.run.directory import RESULT
from recsys.schema import nearest
from recsys.sweep.sweep_config import MEASURES
from recsys.sweep.trial import MANIFEST, OUTPUT

LONGEST_REASON = 300
TAIL_BYTES = 20_000
OBJECTIVES = "hydra.sweeper.objectives"
OUR_ERROR = re.compile(r"^(\w+ error): \d+ problems?:\n  1\. (.+)$", re.MULTILINE)
"""As `recsys.config.launch.plain_errors` prints it."""
OF_THE_SWEEP = re.compile(rf"^  1\. (.+)\n    where: {re.escape(OBJECTIVES)}\n    fix: (.+)$", re.MULTILINE)
"""What `unknown_objective` says in a trial."""
ANY_ERROR = re.compile(r"^([\w.]*(?:Error|Exception|Interrupt|Exit)\w*(?:: .*)?)$", re.MULTILINE)
"""The last line of a traceback."""


@dataclass(frozen=True)
class Outcome:
    """One trial's end.

    Attributes:
        values: of the objectives, in their order; none unless it finished.
        reason: why it did not.
    """

    state: Literal["finished", "pruned", "failed"]
    values: tuple[float, ...] = ()
    reason: str = ""


def outcome(run: Path, code: int, objectives: Iterable[str]) -> Outcome:
    """How the trial in a directory ended.

    Args:
        code: exit code of its last process, below 0 for a signal.
    Raises:
        ConfigError: it knows no such objective: nor will the next trial.
    """
    if code == PRUNED:
        return Outcome("pruned")
    if code == ConfigError.exit_code and (said := OF_THE_SWEEP.search(_output_end(run))):
        raise ConfigError(Fault(said[1], OBJECTIVES, said[2]))
    if code:
        return Outcome("failed", reason=_reason(run, code))
    measured = read_record(run / RESULT, dict) | _bundle(run, objectives)
    for key in objectives:
        if key not in measured:
            raise unknown_objective(key, measured)
    values = tuple(measured[key] for key in objectives)
    for key, value in zip(objectives, values):
        if not isinstance(value, int | float) or not math.isfinite(value):
            return Outcome("failed", reason=f"{key} is {'NaN' if value is None else value}")
    return Outcome("finished", tuple(map(float, values)))


def unknown_objective(key: str, measured: Iterable[str]) -> ConfigError:
    """What is wrong with an objective that is not among the metrics of a run."""
    known = sorted(name for name in measured if name.startswith("val/"))
    what = f"no metric is called '{key}'{nearest(key, known)}"
    return ConfigError(Fault(what, OBJECTIVES, f"use one of {', '.join(known)}; then start the sweep in a new directory"))


def _bundle(run: Path, objectives: Iterable[str]) -> dict[str, float]:
    if not set(objectives) & set(MEASURES):
        return {}
    manifest = read_record(run / MANIFEST, dict)
    parts = [part for name, part in manifest["latency"].items() if name != "start_ms"]
    size = sum(file["size"] for file in manifest["files"].values()) / 1e6
    return {"bundle/size_mb": size} | {f"bundle/{name}": max(part[name] for part in parts) for name in ("p50_ms", "p99_ms")}


def _reason(run: Path, code: int) -> str:
    """The kind of error and its message in one line."""
    text = _output_end(run)
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}{', as happens where memory runs out' if name == 'SIGKILL' else ''}"
    ours, others = OUR_ERROR.findall(text), ANY_ERROR.findall(text)
    said = ": ".join(ours[-1]) if ours else others[-1] if others else f"exit code {code}, see {run / OUTPUT}"
    return f"{said:.{LONGEST_REASON}}"


def _output_end(run: Path) -> str:
    """The end of what a trial printed."""
    with (run / OUTPUT).open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
        return file.read().decode(errors="replace")
