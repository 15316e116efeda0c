"""The process that talks to Weights & Biases, beside training or after it: what it suffers does not reach training.

python -m recsys.logger.companion WORK RUN MODE TIMEOUT_S, started by `recsys.logger.wandb`; the last line it prints says how it ended.
"""

import contextlib
import math
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wandb

from recsys.disk.locks import is_locked, lock, try_lock
from recsys.disk.scrub import without_secrets
from recsys.errors import Fault, ResourceError
from recsys.logger.artifacts import log_bundle, log_checkpoints
from recsys.logger.destination import FINISHED, Destination
from recsys.logger.ledger import STEP, Ledger
from recsys.logger.page import log_report, save_page
from recsys.report.run import report_of
from recsys.run.directory import LINEAGE, RESULT, RunDirectory

LOCK = ".wandb.lock"
"""File of the run directory that the process that sends it holds."""
LOOK_S, INIT_TIMEOUT_S, FLUSH_S = 1.0, 20, 2
"""Seconds between two looks at metrics.jsonl, until W&B has to answer, and of rows that the files of a killed machine may lose."""
BLOCK_BYTES = 32_768
"""Bytes that W&B writes to its files at once."""


def follow(run: Path, mode: str, timeout_s: float) -> str:
    """Send metrics.jsonl while a run writes it, until standard input says that the run has ended; gives the run's address."""
    while is_locked(run / LOCK):  # by `send`, or by what a killed run left
        if _has_ended():
            limit(timeout_s)
            break
    with connected(run, mode, stats_of=os.getppid()) as (destination, talk):
        ledger = _ledger(run, talk)
        while not _has_ended():
            ledger.forward(lambda row, step: talk.log(row, step=step, commit=True))
        finished = os.read(sys.stdin.fileno(), 100) == FINISHED
        limit(timeout_s)
        _rest(run, destination, talk, ledger, finished=finished)
    return _address(talk)


def send(run: Path, mode: str) -> str:
    """Send what Weights & Biases does not have of a run; gives its address. A ResourceError where another process sends it."""
    with connected(run, mode, waits=False) as (destination, talk):
        _rest(run, destination, talk, _ledger(run, talk), finished=(run / RESULT).exists())
    return _address(talk)


def bundle(run: Path, mode: str, timeout_s: float) -> str:
    """Send the bundle of a run; gives the run's address."""
    limit(timeout_s)
    with connected(run, mode) as (destination, talk):
        log_bundle(talk, run, destination)
        talk.finish(exit_code=0)
        wandb.teardown()
    return _address(talk)


def _has_ended() -> bool:
    """Whether standard input says that the run has ended; waits a moment for it."""
    return bool(select.select([sys.stdin], [], [], LOOK_S)[0])


def _address(talk: Any) -> str:
    """Address of the run there; folder for `wandb sync` where it is offline."""
    return str(Path(talk.dir).parent) if talk.offline else talk.url


@contextlib.contextmanager
def connected(run: Path, mode: Any, *, waits: bool = True, stats_of: int | None = None) -> Iterator[tuple[Destination, Any]]:
    """The run of Weights & Biases that a run directory belongs to, for one process at a time.

    Args:
        waits: whether to wait for the process before, within the `limit` set.
        stats_of: process whose use of the machine is measured; None = of none.
    Raises:
        ResourceError: another process sends the run.
    """
    destination, files = Destination.find(run), RunDirectory.open(run)
    assert destination is not None  # those who start this process have settled one
    settings = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,  # lineage.json names the commit, and an address of a repository may hold a password
        disable_code=True,
        init_timeout=INIT_TIMEOUT_S,
        login_timeout=INIT_TIMEOUT_S,
        x_transaction_log_flush_interval=FLUSH_S,
        x_disable_stats=stats_of is None,
        x_stats_pid=os.getpid() if stats_of is None else stats_of,
    )
    try:
        own = lock(run / LOCK) if waits else try_lock(run / LOCK)
    except TimeoutError:  # of `limit`
        own = None
    if own is None:
        what = "another process is sending the run, or it is still in training"
        raise ResourceError(Fault(what, str(run), "wait until that has ended, then send again"))
    with own:
        talk = wandb.init(
            project=destination.project,
            id=destination.id,
            name=destination.name,
            group=destination.group,
            tags=list(destination.tags),
            dir=run,
            config=without_secrets(dict(files.plain) | ({"lineage": files.lineage} if (run / LINEAGE).exists() else {})),
            mode=mode,
            resume="allow",
            allow_val_change=True,
            settings=settings,
        )
        try:
            yield destination, talk
        except BaseException:
            with contextlib.suppress(Exception):
                talk.finish(exit_code=1)  # sends what it was given before
            raise


def limit(timeout_s: float) -> None:
    """Raise a TimeoutError in whatever this process does when the time is over."""

    def late(*_: object) -> None:
        signal.alarm(5)  # for the handling of the error
        raise TimeoutError(f"not done within {timeout_s:g} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(max(1, math.ceil(timeout_s)))


def _ledger(run: Path, talk: Any) -> Ledger:
    talk.define_metric(STEP)
    talk.define_metric("*", step_metric=STEP)
    return Ledger(run, arrived=None if talk.offline else talk.starting_step)


def _rest(run: Path, destination: Destination, talk: Any, ledger: Ledger, *, finished: bool) -> None:
    """Send what follows the last step; the report comes last, since drawing may fail."""
    ledger.forward(lambda row, step: talk.log(row, step=step, commit=True))
    try:
        if finished:
            result = RunDirectory.open(run).result
            talk.summary.update({key: math.nan if value is None else value for key, value in result.items()})
            if destination.artifacts:
                log_checkpoints(talk, run, destination)
            report = report_of(run)
            log_report(talk, run, report, step=ledger.next_row)
            ledger.add_report()
            if not talk.offline:
                save_page(run, destination, report, entity=talk.entity)
    finally:
        talk.finish(exit_code=0 if finished else 1)
        wandb.teardown()  # its files are whole once its service has ended
    if talk.offline:
        _require_space(run / "wandb")


def _require_space(folder: Path) -> None:
    """Raise an OSError where nothing can be written: W&B's own service does not say that its files lack rows."""
    probe = folder / ".space"
    try:
        probe.write_bytes(bytes(BLOCK_BYTES))
    finally:
        probe.unlink(missing_ok=True)


if __name__ == "__main__":
    work, run, mode, timeout_s = sys.argv[1:]
    try:
        print({"follow": follow, "bundle": bundle}[work](Path(run), mode, float(timeout_s)), flush=True)
    except BaseException as error:
        print(" ".join(f"{type(error).__name__}: {error}".split()), flush=True)
        os._exit(1)  # whatever threads still wait for
