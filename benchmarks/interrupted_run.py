"""A run in a process of its own that is ended by kill -9 at a named point, or at any moment of its training."""

import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import train
from recsys.config import TrainConfig
from recsys.run import checkpoint
from recsys.run.directory import CHECKPOINTS, LOGGED, RESULT
from recsys.run.metrics_log import MetricsLog
from recsys.run.progress import ProgressBars
from recsys.run.saver import Checkpoints
from recsys.task.ranking.module import RankingModule
from recsys.task.retrieval.module import RetrievalModule

POINTS = ("random", "step", "mid-write", "before rename", "before pointer", "before tidying", "mid-log", "mid-validation", "mid-test")
"""random is some moment after training began; at the others a certain call is the last."""


def exit_code_of_training(config: TrainConfig, run: Path, *, temporary: Path, point: str | None = None, moment: float = 0.0) -> int:
    """Train in a forked process, going on with the run if one was begun; the exit code, -9 for one that was killed.

    Args:
        temporary: TMPDIR of the process.
        point: of `POINTS`; None lets it come to its end.
        moment: of a random one the seconds after training began; of the others the number of calls that come before.
    """
    child = os.fork()
    if child == 0:
        try:
            _silent(run.with_suffix(".log"))
            os.environ["TMPDIR"], tempfile.tempdir = str(temporary), None
            if point is not None:
                _kill_at(point, moment)
            run.mkdir(parents=True, exist_ok=True)
            train.train(replace(config, resume="auto"), run)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def file_hashes(run: Path) -> dict[str, str]:
    """{what a run leaves: its sha256}; the files are checked and loaded where they are checkpoints."""
    found = {}
    for name in ("best", "last"):
        facts = checkpoint.checkpoint_facts(run / CHECKPOINTS / name)
        found[f"weights of {name}"] = facts["sha256"]
    tensors, document = checkpoint.load_state(run / CHECKPOINTS / "last")
    state = json.dumps(document).encode() + b"".join(tensor.numpy().tobytes() for _, tensor in sorted(tensors.items()))
    found["optimizer and counters"] = hashlib.sha256(state).hexdigest()
    for name in (RESULT, LOGGED):
        found[name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    return found


def loads(run: Path) -> bool:
    """Whether every checkpoint that a killed run shows is whole."""
    for name in ("best", "last"):
        link = run / CHECKPOINTS / name
        if link.exists() or link.is_symlink():
            folder = link.resolve()
            facts = checkpoint.checkpoint_facts(link)
            weights = hashlib.sha256((folder / checkpoint.WEIGHTS).read_bytes()).hexdigest()
            if weights != facts["sha256"]:
                return False
            if name == "last":
                checkpoint.load_state(link)
    return True


def steps_logged(run: Path) -> list[int]:
    """Numbers of the steps whose loss a run has logged, in the order of the file."""
    lines = map(json.loads, (run / LOGGED).read_text().splitlines())
    return [line["step"] for line in lines if "train/loss" in line]


def _silent(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_at(point: str, moment: float) -> None:
    if point == "random":
        _before(Checkpoints, "on_train_start", 0, lambda *_: threading.Timer(moment, _kill).start())
        return
    owner, name, last = {
        "step": ((RetrievalModule, RankingModule), "training_step", _ended),
        "mid-write": (checkpoint, "save_file", _half_written),
        "before rename": (checkpoint, "_published", _ended),
        "before pointer": (sys.modules[Checkpoints.__module__], "point", _ended),
        "before tidying": (sys.modules[Checkpoints.__module__], "tidy", _ended),
        "mid-log": (MetricsLog, "log_metrics", _half_logged),
        "mid-validation": (ProgressBars, "on_validation_batch_end", _ended),
        "mid-test": (Checkpoints, "on_test_start", _ended),
    }[point]
    for each in owner if isinstance(owner, tuple) else (owner,):
        _before(each, name, round(moment), last)


def _before(owner: Any, name: str, calls: int, act: Callable[..., None]) -> None:
    """Let `act` see the arguments of the call after so many."""
    original, seen = getattr(owner, name), []

    def counted(*arguments: Any, **options: Any) -> Any:
        seen.append(None)
        if len(seen) == calls + 1:
            act(*arguments, **options)
        return original(*arguments, **options)

    setattr(owner, name, counted)


def _ended(*_: Any, **__: Any) -> None:
    _kill()


def _half_written(tensors: dict, path: str, metadata: dict | None = None) -> None:
    Path(path).write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    _kill()


def _half_logged(log: MetricsLog, metrics: dict, step: int | None = None) -> None:
    with log.path.open("a") as file:
        file.write('{"step": 1')
    _kill()
