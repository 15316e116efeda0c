"""One trial: its processes, train.py, and export.py where an objective is measured on the bundle; and how they ended.

Whoever runs in a trial's directory holds the lock of its file `alive`, which train.py inherits: a trial whose sweep was killed is not
taken for dead while it still trains, so no two processes ever train in one directory.
"""

import math
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recsys.config.overrides import as_override
from recsys.disk.locks import is_locked, lock
from recsys.disk.records import read_record
from recsys.errors import PRUNED, ConfigError, Fault
from recsys.run.directory import BUNDLE, RESULT
from recsys.schema import nearest
from recsys.sweep.launcher import OUTPUT, environment
from recsys.sweep.sweep_config import MEASURES

ALIVE, MANIFEST = "alive", f"{BUNDLE}/manifest.json"
LONGEST_REASON, TAIL_BYTES = 300, 20_000
OBJECTIVES = "hydra.sweeper.objectives"
OUR_ERROR = re.compile(r"^(\w+ error): \d+ problems?:\n  1\. (.+)$", re.MULTILINE)
"""As `recsys.config.launch.plain_errors` prints it."""
OF_THE_SWEEP = re.compile(rf"^  1\. (.+)\n    where: {re.escape(OBJECTIVES)}\n    fix: (.+)$", re.MULTILINE)
"""As a trial prints `unknown_objective`."""
ANY_ERROR = re.compile(r"^([\w.]*(?:Error|Exception|Interrupt|Exit)\w*(?:: .*)?)$", re.MULTILINE)
"""The last line of a traceback."""


@dataclass(frozen=True)
class Commands:
    """Commands of a trial, to which `run_trial` adds its directory; export is None where no objective needs a bundle.

    Attributes:
        processes: trials that share the machine.
    """

    train: tuple[str, ...]
    export: tuple[str, ...] | None
    cwd: str
    processes: int

    def pending(self, run: Path) -> Iterator[list[str]]:
        """Commands that have not ended well yet in a directory."""
        if not (run / RESULT).exists():
            yield [*self.train, "resume=auto", as_override("hydra.run.dir", str(run))]
        if self.export is not None and not (run / MANIFEST).exists():
            yield [*self.export, as_override("run", str(run))]


def run_trial(sweep: Path, number: int, commands: Commands) -> tuple[Path, int]:
    """Run what is left of a trial, which may have been killed; its directory, and the first exit code that is not 0, if any."""
    run = trial_folder(sweep, number)
    run.mkdir(parents=True, exist_ok=True)
    with lock(run / ALIVE) as alive:  # a process of the trial that still trains is waited for
        os.ftruncate(alive.descriptor, 0)  # the process whose number stands there is gone, and the number may be another's by now
        return run, next((code for command in commands.pending(run) if (code := _exit_code(command, run, alive.descriptor, commands))), 0)


def trial_folder(sweep: Path, number: int) -> Path:
    return sweep / f"trial-{number}"


def is_alive(run: Path) -> bool:
    """Whether a process trains there."""
    return is_locked(run / ALIVE)


def stop(run: Path, how: signal.Signals) -> bool:
    """Send a signal to the process that trains there, if it is on this machine; whether one was sent."""
    with suppress(OSError, ValueError):
        if is_alive(run):
            os.kill(int((run / ALIVE).read_text()), how)
            return True
    return False


def _exit_code(command: list[str], run: Path, alive: int, commands: Commands) -> int:
    """The command's exit code, or the number of the signal that ended it, below 0."""
    with (run / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=commands.cwd,
            env=environment(commands.processes),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[alive],
        )
        os.pwrite(alive, str(process.pid).encode(), 0)
        try:
            return process.wait()
        finally:
            os.ftruncate(alive, 0)


@dataclass(frozen=True)
class Outcome:
    """One trial's end: values of the objectives, in their order, if it finished; otherwise the reason."""

    state: Literal["finished", "pruned", "failed"]
    values: tuple[float, ...] = ()
    reason: str = ""


def outcome(run: Path, code: int, objectives: Iterable[str]) -> Outcome:
    """How the trial in a directory ended, by its last exit code (below 0: a signal); a ConfigError where no run has an objective."""
    if code == PRUNED:
        return Outcome("pruned")
    if code == ConfigError.exit_code and (message := OF_THE_SWEEP.search(_output_end(run))):
        raise ConfigError(Fault(message[1], OBJECTIVES, message[2]))
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
    """The error of a sweep whose objective is not among the metrics of a run."""
    metrics = sorted(name for name in measured if name.startswith("val/"))
    what = f"no metric is called '{key}'{nearest(key, metrics)}"
    return ConfigError(Fault(what, OBJECTIVES, f"use one of {', '.join(metrics)}; then start the sweep in a new directory"))


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
    reason = ": ".join(ours[-1]) if ours else others[-1] if others else f"exit code {code}, see {run / OUTPUT}"
    return f"{reason:.{LONGEST_REASON}}"


def _output_end(run: Path) -> str:
    """The end of what a trial printed."""
    with (run / OUTPUT).open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
        return file.read().decode(errors="replace")
