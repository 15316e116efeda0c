"""One trial in processes of its own: train.py, and export.py where an objective is measured on the bundle. Light, as workers import it.

Whoever runs in a trial's directory holds the lock of its file `alive`, which train.py inherits: a trial whose sweep was killed is not
taken for dead while it still trains, so no two processes ever train in one directory.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.config.overrides import as_override
from recsys.disk.locks import is_locked, lock
from recsys.run.directory import BUNDLE, RESULT

ALIVE, OUTPUT, MANIFEST = "alive", "output.log", f"{BUNDLE}/manifest.json"


@dataclass(frozen=True)
class Commands:
    """What a trial runs; the directory is added by whoever runs it.

    Attributes:
        train: train.py with the trial's overrides.
        export: export.py; None where no objective needs a bundle.
        cwd: where relative paths of the config start.
    """

    train: tuple[str, ...]
    export: tuple[str, ...] | None
    cwd: str

    def left(self, run: Path) -> Iterator[list[str]]:
        """What has not ended well yet."""
        if not (run / RESULT).exists():
            yield [*self.train, "resume=auto", as_override("hydra.run.dir", str(run))]
        if self.export is not None and not (run / MANIFEST).exists():
            yield [*self.export, as_override("run", str(run))]


def run_trial(sweep: Path, number: int, commands: Commands) -> tuple[Path, int]:
    """Run what is left of a trial; one that was killed goes on where it stopped.

    Returns:
        Its directory, and the exit code of the first command that did not end well, 0 if all did.
    """
    run = trial_folder(sweep, number)
    run.mkdir(parents=True, exist_ok=True)
    with lock(run / ALIVE) as alive:  # a process of the trial that still trains is waited for
        os.ftruncate(alive.descriptor, 0)  # the process whose number stands there is gone, and the number may be another's by now
        return run, next((code for command in commands.left(run) if (code := _exit_code(command, run, alive.descriptor, commands.cwd))), 0)


def trial_folder(sweep: Path, number: int) -> Path:
    """The directory of a trial."""
    return sweep / f"trial-{number}"


def is_alive(run: Path) -> bool:
    """Whether a process trains there."""
    return is_locked(run / ALIVE)


def stop(run: Path, how: signal.Signals) -> bool:
    """Ask the process that trains there to end; whether one does, on this machine."""
    with suppress(OSError, ValueError):
        if is_alive(run):
            os.kill(int((run / ALIVE).read_text()), how)
            return True
    return False


def _exit_code(command: list[str], run: Path, alive: int, cwd: str) -> int:
    """The command's exit code, or the number of the signal that ended it, below 0."""
    with (run / OUTPUT).open("ab") as output:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[alive])
        os.pwrite(alive, str(process.pid).encode(), 0)
        try:
            return process.wait()
        finally:
            os.ftruncate(alive, 0)
