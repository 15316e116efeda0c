"""Weights & Biases beside metrics.jsonl: a process of its own tells it everything, so that nothing it does or suffers reaches training."""

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

from recsys.errors import ConfigError, Fault
from recsys.logger.destination import DISABLED, FAILED, FINISHED, VARIABLE, Destination, mode_now

log = logging.getLogger(__name__)
GRACE_S = 10
"""After its time is up the process has this long to say why."""
TIMEOUT_S = 60.0
"""For a bundle, whose run may be long over."""
UNSENT = "the bundle stands, and was not sent"


class Wandb(Logger):
    """Starts the process that follows metrics.jsonl (`recsys.logger.companion`) with the first logged value, on the first process alone.

    Whatever goes wrong there is one warning, in train.log and on the terminal; `python -m recsys.report send RUN` sends later what was
    missed. The environment variable WANDB_MODE, where it is set, says the mode instead.

    Args:
        save_dir: the run directory.
        project: where runs stand.
        name: of the run; None: that of its directory.
        group: of runs that belong together, such as the trials of a sweep.
        tags: to find it by.
        mode: online; offline writes files below `<run>/wandb` for `wandb sync`; disabled does nothing.
        artifacts: whether the best and the last checkpoint, and later the bundle, are sent too.
        timeout_s: how long the end of a run waits until everything is sent.
    """

    def __init__(
        self,
        save_dir: Path,
        project: str,
        *,
        name: str | None,
        group: str | None,
        tags: list[str],
        mode: Literal["online", "offline", "disabled"],
        artifacts: bool,
        timeout_s: float,
    ):
        super().__init__()
        self.run = Path(save_dir)
        self.mode = mode_now(mode)
        if self.mode != DISABLED and find_spec("wandb") is None:
            raise ConfigError(Fault("logger=wandb needs wandb, which is not installed", "logger", "pip install wandb"))
        self.timeout_s = timeout_s
        self.project, self.title, self.group, self.tags = project, name or self.run.resolve().name, group, tuple(tags)
        self.artifacts = artifacts
        self._process: subprocess.Popen[bytes] | None = None
        self._works = self.mode != DISABLED

    @property
    def name(self) -> str:
        """Of the kind of log; Lightning asks for it."""
        return "wandb"

    @property
    def version(self) -> str:
        """None but the run directory's name tells runs apart."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Nothing but a look whether the process lives: it reads metrics.jsonl, where these values are."""
        if not self._works:
            return
        if self._process is None:
            self._start()
        elif self._process.poll() is not None:
            self._warn(_last_words(self._process.communicate()[0]), "training goes on without it")

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Nothing: config.yaml holds them."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Lets the process end by itself where training failed; after a success there is more to come."""
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
        said, ended = _ended(self._process, self.timeout_s + GRACE_S)
        if ended:
            log.info("Weights & Biases: %s", said)
        else:
            self._warn(said, "not everything was sent")
        self._works = False

    def _start(self) -> None:
        try:
            Destination.of(
                self.run,
                project=self.project,
                name=self.title,
                group=self.group,
                tags=self.tags,
                artifacts=self.artifacts,
                mode=self.mode,
            )
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
        said, ended = _ended(process, TIMEOUT_S + GRACE_S)
    except (OSError, ValueError) as error:
        said, ended = str(error), False
    if not ended:
        warn(said, UNSENT)


def warn(reason: str, consequence: str) -> None:
    """One line in the log and one on the terminal."""
    text = f"Weights & Biases: {' '.join(reason.split()):.300}; {consequence}"
    log.warning(text)
    print(text, file=sys.stderr)


def _companion(run: Path, work: str, mode: str, timeout_s: float) -> subprocess.Popen[bytes]:
    """The process that talks; in a session of its own, so that Ctrl-C lets it send what there is."""
    command = [sys.executable, "-m", "recsys.logger.companion", work, str(run.resolve()), mode, str(timeout_s)]
    home = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(home), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": paths},
        start_new_session=True,
    )


def _write(process: subprocess.Popen[bytes], message: bytes) -> None:
    """Write to the standard input of a process, unless it has ended: then its last line says why."""
    assert process.stdin is not None
    try:
        process.stdin.write(message)
        process.stdin.flush()
    except OSError:
        return


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[str, bool]:
    """What a process said last, and whether it ended well; one that does not end is ended."""
    try:
        said, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"no answer within {timeout_s:g} s", False
    return _last_words(said), process.returncode == 0


def _last_words(said: bytes) -> str:
    return (said.decode(errors="replace").strip().splitlines() or ["its process ended without a word"])[-1]
