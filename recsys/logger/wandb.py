"""Weights & Biases beside metrics.jsonl: a process of its own sends everything, so that nothing it does or suffers reaches training."""

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from recsys.config.files import PACKAGE
from recsys.errors import ConfigError, Fault, RecsysError, ResourceError
from recsys.logger.destination import DISABLED, FAILED, FILE, FINISHED, VARIABLE, Destination, mode_now
from recsys.ranges import Column, Positive
from recsys.run.directory import RunDirectory

log = logging.getLogger(__name__)
TIMEOUT_S, GRACE_S = 60.0, 10
"""Seconds in which a bundle has to be sent, and after which the process may say why it is late."""
UNSENT = "the bundle stands, and was not sent"


class Wandb(Logger):
    """Starts the process that follows metrics.jsonl (`recsys.logger.companion`) with the first logged value, on the first process alone.

    Whatever goes wrong there is one warning, in train.log and on the terminal; `python -m recsys.report send RUN` sends later what was
    missed. conf/logger/wandb.yaml explains each argument; the environment variable WANDB_MODE, where it is set, replaces `mode`.
    """

    def __init__(
        self,
        save_dir: Path,
        project: Column,
        *,
        name: Column | None,
        group: Column | None,
        tags: list[Column],
        mode: Literal["online", "offline", "disabled"],
        artifacts: bool,
        timeout_s: Positive,
    ):
        super().__init__()
        self.run, self.timeout_s, self.mode = Path(save_dir), timeout_s, mode_now(mode)
        if self.mode != DISABLED and find_spec("wandb") is None:
            raise ConfigError(Fault("logger=wandb needs wandb, which is not installed", "logger", "pip install wandb"))
        title = name or self.run.resolve().name
        self.destination = Destination(project=project, name=title, group=group, tags=tuple(tags), artifacts=artifacts, mode=self.mode)
        self._process: subprocess.Popen[bytes] | None = None
        self._works = self.mode != DISABLED

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Check that the process lives, which reads metrics.jsonl, where these values are."""
        if not self._works:
            return
        if self._process is None:
            self._start()
        elif self._process.poll() is not None:
            self._warn(_last_line(self._process.communicate()[0]), "training goes on without it")

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Nothing: config.yaml holds them."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Let the process end by itself where training failed; after a success there is more to send."""
        if self._works and self._process is not None and status != "success":
            _write(self._process, FAILED)
            self._works = False

    def finish(self) -> None:
        """Wait until the run's end, its report and its artifacts are sent."""
        if self.mode == DISABLED:
            log.info("Weights & Biases: disabled, nothing is sent")
        if not self._works or self._process is None:
            return
        _write(self._process, FINISHED)
        message, ended = _ended(self._process, self.timeout_s + GRACE_S)
        if ended:
            log.info("Weights & Biases: %s", message)
        else:
            self._warn(message, "not everything was sent")
        self._works = False

    def _start(self) -> None:
        try:
            self.destination.settle(self.run)
            self._process = _companion(self.run, "follow", self.mode, self.timeout_s)
        except (OSError, ValueError) as error:
            self._warn(str(error), "training goes on without it")

    def _warn(self, reason: str, consequence: str) -> None:
        self._works = False
        warn(reason, f"{consequence}, python -m recsys.report send {self.run} sends it later")


def finish_logging(loggers: Sequence[Logger]) -> None:
    """Let Weights & Biases have the end of a run, where it is among its loggers."""
    for logger in loggers:
        if isinstance(logger, Wandb):
            logger.finish()


def send_bundle(run: Path) -> None:
    """Send a run's bundle to where the run was sent, if it was; a failure is a warning, and so is WANDB_MODE=disabled."""
    try:
        destination = Destination.find(run)
        if destination is None or not destination.artifacts:
            return
        mode = mode_now(destination.mode)
        if mode == DISABLED:
            warn(f"{VARIABLE} is {DISABLED}", UNSENT)
            return
        process = _companion(run, "bundle", mode, TIMEOUT_S)
        message, ended = _ended(process, TIMEOUT_S + GRACE_S)
    except (OSError, ValueError) as error:
        message, ended = str(error), False
    if not ended:
        warn(message, UNSENT)


def send_run(run: Path, project: str | None) -> str:
    """Send what Weights & Biases does not have of a run, to `project` if it was trained without; gives the run's address.

    Raises:
        ConfigError: there is no run, it belongs nowhere or to another project, or WANDB_MODE is disabled.
        ResourceError: Weights & Biases does not take it.
    """
    RunDirectory.open(run)
    mode = mode_now("online")
    if mode == DISABLED:
        raise ConfigError(Fault(f"{VARIABLE} is {DISABLED}: nothing is sent", "the environment", "unset it, or say online or offline"))
    run = run.resolve()
    before = Destination.find(run)
    if before is None and project is None:
        what = f"the run has no {FILE}: it was not trained with logger=wandb"
        raise ConfigError(Fault(what, str(run), "name a project for it with --project, or another run"))
    if before is not None and project not in (None, before.project):
        remedy = f"leave --project out, or delete {FILE} to send it as a new run"
        raise ConfigError(Fault(f"the run belongs to project '{before.project}', not to '{project}'", str(run / FILE), remedy))
    if before is None:
        Destination(project=str(project), name=run.name, artifacts=True, mode=mode).settle(run)
    try:
        from recsys.logger.companion import send  # takes a second, and other commands do without

        return send(run, mode)
    except RecsysError:
        raise
    except Exception as error:  # whatever it raises: its classes are many
        what = f"Weights & Biases does not take it: {type(error).__name__}, {' '.join(str(error).split()):.300}"
        raise ResourceError(Fault(what, str(run), "mend it, then send again: what has arrived is not sent twice")) from error


def warn(reason: str, consequence: str) -> None:
    """Write one line to the log and one to the terminal."""
    text = f"Weights & Biases: {' '.join(reason.split()):.300}; {consequence}"
    log.warning(text)
    print(text, file=sys.stderr)


def _companion(run: Path, work: str, mode: str, timeout_s: float) -> subprocess.Popen[bytes]:
    """The process that sends; in a session of its own, so that Ctrl-C lets it send what there is."""
    command = [sys.executable, "-m", "recsys.logger.companion", work, str(run.resolve()), mode, str(timeout_s)]
    paths = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment, pipe = os.environ | {"PYTHONPATH": paths}, subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)


def _write(process: subprocess.Popen[bytes], message: bytes) -> None:
    """Write to the standard input of a process, unless it has ended: then its last line says why."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(message)
        process.stdin.flush()


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[str, bool]:
    """The last line of a process, and whether it ended well; one that does not end is killed."""
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"no answer within {timeout_s:g} s", False
    return _last_line(output), process.returncode == 0


def _last_line(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or ["its process ended without a word"])[-1]
