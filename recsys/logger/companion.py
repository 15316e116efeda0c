"""The process that talks to Weights & Biases, beside training or after it; it may fail, hang or be killed, and training is none the wiser.

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

from recsys.disk.locks import is_locked
from recsys.logger.artifacts import log_bundle, log_checkpoints
from recsys.logger.destination import FINISHED, LOCK, Destination, lone_sender
from recsys.logger.ledger import STEP, Ledger
from recsys.logger.page import save_page
from recsys.logger.secrets import without_secrets
from recsys.logger.twin import log_report
from recsys.report.run import report_of
from recsys.run.directory import LINEAGE, RESULT, RunDirectory

LOOK_S = 1.0
"""Between two looks at metrics.jsonl."""
INIT_TIMEOUT_S = 20
FLUSH_S = 2
"""Rows that the files of a killed machine may lose are this young."""
BLOCK_BYTES = 32_768
"""Written to W&B's files at once."""


def follow(run: Path, mode: str, timeout_s: float) -> str:
    """Hand metrics.jsonl on while a run writes it, until standard input says that the run has ended; gives the run's address."""
    _wait_for_others(run, timeout_s)
    with connected(run, mode, stats_of=os.getppid()) as (destination, talk):
        ledger = _ledger(run, talk)
        while not _has_ended():
            ledger.forward(lambda row, step: talk.log(row, step=step, commit=True))
        finished = os.read(sys.stdin.fileno(), 100) == FINISHED
        limit(timeout_s)
        _rest(run, destination, talk, ledger, finished=finished)
    return _address(talk)


def send(run: Path, mode: str) -> str:
    """Hand on what a run left and Weights & Biases does not have; gives the run's address.

    Raises:
        ResourceError: another process holds the run.
    """
    with connected(run, mode, waits=False) as (destination, talk):
        _rest(run, destination, talk, _ledger(run, talk), finished=(run / RESULT).exists())
    return _address(talk)


def bundle(run: Path, mode: str, timeout_s: float) -> str:
    """Hand on the bundle of a run; gives the run's address."""
    limit(timeout_s)
    with connected(run, mode) as (destination, talk):
        log_bundle(talk, run, destination)
        talk.finish(exit_code=0)
        wandb.teardown()
    return _address(talk)


def _wait_for_others(run: Path, timeout_s: float) -> None:
    """Until nobody holds the run, be it `send` or what a killed run left: as long as the run goes on, and then within the time allowed."""
    while is_locked(run / LOCK):
        if _has_ended():
            limit(timeout_s)
            return


def _has_ended() -> bool:
    """Whether the run has, which standard input says; waits a moment for it."""
    return bool(select.select([sys.stdin], [], [], LOOK_S)[0])


def _address(talk: Any) -> str:
    """Of the run there; of the folder for `wandb sync` where it is offline."""
    return str(Path(talk.dir).parent) if talk.offline else talk.url


@contextlib.contextmanager
def connected(run: Path, mode: Any, *, waits: bool = True, stats_of: int | None = None) -> Iterator[tuple[Destination, Any]]:
    """The run there that a run directory belongs to; one process at a time.

    Args:
        waits: for the process before, within the `limit` set.
        stats_of: process whose use of the machine is measured; None = of none.
    """
    destination = Destination.read(run)
    with lone_sender(run, waits=waits):
        talk = wandb.init(
            project=destination.project,
            id=destination.id,
            name=destination.name,
            group=destination.group,
            tags=list(destination.tags),
            dir=run,
            config=_config(run),
            mode=mode,
            resume="allow",
            allow_val_change=True,
            settings=_settings(stats_of),
        )
        try:
            yield destination, talk
        except BaseException:
            with contextlib.suppress(Exception):
                talk.finish(exit_code=1)  # what was handed on before
            raise


def limit(timeout_s: float) -> None:
    """End what goes on now with a TimeoutError."""

    def late(*_: object) -> None:
        signal.alarm(5)  # for what is done about it
        raise TimeoutError(f"not done within {timeout_s:g} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(max(1, math.ceil(timeout_s)))


def _settings(stats_of: int | None) -> wandb.Settings:
    return wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,  # lineage.json says it, and an address of a repository may hold a password
        disable_code=True,
        init_timeout=INIT_TIMEOUT_S,
        login_timeout=INIT_TIMEOUT_S,
        x_transaction_log_flush_interval=FLUSH_S,
        x_disable_stats=stats_of is None,
        x_stats_pid=os.getpid() if stats_of is None else stats_of,
    )


def _config(run: Path) -> dict[str, Any]:
    """config.yaml and lineage.json, without secrets."""
    files = RunDirectory.open(run)
    return without_secrets(dict(files.plain) | ({"lineage": files.lineage} if (run / LINEAGE).exists() else {}))


def _ledger(run: Path, talk: Any) -> Ledger:
    talk.define_metric(STEP)
    talk.define_metric("*", step_metric=STEP)
    return Ledger(run, arrived=None if talk.offline else talk.starting_step)


def _rest(run: Path, destination: Destination, talk: Any, ledger: Ledger, *, finished: bool) -> None:
    """What follows the last step; the report comes last, since drawing may fail."""
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
