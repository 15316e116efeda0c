"""Which run of Weights & Biases a run directory belongs to, for good, and how it is sent there: by one process at a time."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from uuid import uuid4

from recsys.disk import write_whole
from recsys.disk.locks import lock, try_lock
from recsys.disk.records import read_record, require_type
from recsys.errors import ConfigError, Fault, ResourceError

FILE, LOCK = "wandb.json", ".wandb.lock"
"""Files of the run directory: this destination, and the lock of the process that sends."""
VARIABLE = "WANDB_MODE"
DISABLED = "disabled"
MODES = ("online", "offline", DISABLED)
FINISHED, FAILED = b"finished\n", b"failed\n"
"""What the process that talks there is told at the end of a run; if nobody tells it anything, the run was killed."""
RUN_ID = "WANDB_RUN_ID"
"""Environment variable in which an agent of W&B's own sweeps says which run it asked for."""
UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Destination:
    """A run there.

    Attributes:
        id: never changes, so that a run that goes on, or is sent again, is the same run there.
        project, name, group, tags: as Weights & Biases shows it.
        artifacts: whether checkpoints and bundles are sent too.
        mode: how it was trained: online or offline.
        page: address of its saved report page; None = there is none yet.
    """

    id: str
    project: str
    name: str
    group: str | None
    tags: tuple[str, ...]
    artifacts: bool
    mode: str
    page: str | None = None

    @staticmethod
    def of(run: Path, *, project: str, name: str, group: str | None, tags: tuple[str, ...], artifacts: bool, mode: str) -> "Destination":
        """The destination of a run directory with these fields; one that it has keeps its id and page, else it gets an id now."""
        before = Destination.find(run)
        own = before.id if before else os.environ.get(RUN_ID) or f"{UNFIT.sub('-', run.resolve().name)}-{uuid4().hex[:8]}"
        after = Destination(own, project, name, group, tags, artifacts, mode, page=before.page if before else None)
        if after != before:
            after.save(run)
        return after

    @staticmethod
    def read(run: Path) -> "Destination":
        """That which the directory's file names.

        Raises:
            ConfigError: there is none.
        """
        if not (run / FILE).is_file():
            what = f"the run has no {FILE}: it was not trained with logger=wandb"
            raise ConfigError(Fault(what, str(run), "name a project for it with --project, or another run"))
        return read_record(run / FILE, _made)

    @staticmethod
    def find(run: Path) -> "Destination | None":
        """As `read`; None where there is none."""
        return Destination.read(run) if (run / FILE).is_file() else None

    def save(self, run: Path) -> None:
        """Write the file."""
        write_whole(run / FILE, json.dumps(asdict(self), indent=2) + "\n")


def _made(document: dict) -> Destination:
    values = {field.name: document[field.name] for field in fields(Destination)}
    for name in ("id", "project", "name", "mode"):
        require_type(values[name], str, f"'{name}'")
    require_type(values["artifacts"], bool, "'artifacts'")
    return Destination(**values | {"tags": tuple(require_type(values["tags"], list, "'tags'"))})


def mode_now(default: str) -> str:
    """The mode that the environment variable WANDB_MODE names, or else the default: online, offline or disabled."""
    named = os.environ.get(VARIABLE)
    return named if named in MODES else default


@contextlib.contextmanager
def lone_sender(run: Path, *, waits: bool) -> Iterator[None]:
    """Be the one process that sends the run.

    Args:
        waits: until the one before has ended, or a TimeoutError from a signal handler ends the wait; otherwise there is no wait.
    Raises:
        ResourceError: another process sends it.
    """
    try:
        own = lock(run / LOCK) if waits else try_lock(run / LOCK)
    except TimeoutError:
        own = None
    if own is None:
        what = "another process is sending the run, or it is still in training"
        raise ResourceError(Fault(what, str(run), "wait until that has ended, then send again"))
    with own:
        yield
