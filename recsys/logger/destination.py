"""The run of Weights & Biases that a run directory belongs to, for good."""

import json
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from uuid import uuid4

from recsys.disk import write_whole
from recsys.disk.records import read_record, require_type
from recsys.disk.scrub import without_secrets

FILE = "wandb.json"
"""File of the run directory."""
VARIABLE = "WANDB_MODE"
DISABLED = "disabled"
MODES = ("online", "offline", DISABLED)
FINISHED, FAILED = b"finished\n", b"failed\n"
"""Messages to the process that sends, at the end of a run; without one, the run was killed."""
RUN_ID = "WANDB_RUN_ID"
"""Environment variable in which an agent of W&B's own sweeps names the run."""
UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A run of Weights & Biases.

    Attributes:
        id: never changes, so that a run that goes on, or is sent again, is the same run there; "" before it is settled.
        project, name, group, tags: as Weights & Biases shows it.
        artifacts: whether checkpoints and bundles are sent too.
        mode: how it was trained: online or offline.
        page: address of its saved report page; None = there is none yet.
    """

    id: str = ""
    project: str
    name: str
    group: str | None = None
    tags: tuple[str, ...] = ()
    artifacts: bool
    mode: str
    page: str | None = None

    def settle(self, run: Path) -> "Destination":
        """Make this the destination of a run directory; id and page of one that it has stay, else it gets an id now."""
        before = Destination.find(run)
        own = before.id if before else os.environ.get(RUN_ID) or f"{UNFIT.sub('-', run.resolve().name)}-{uuid4().hex[:8]}"
        after = replace(self, id=own, page=before.page if before else None)
        if after != before:
            after.save(run)
        return after

    @staticmethod
    def find(run: Path) -> "Destination | None":
        """Read wandb.json of a run directory; None where there is none."""
        return read_record(run / FILE, _checked_destination) if (run / FILE).is_file() else None

    def save(self, run: Path) -> None:
        """Write wandb.json of a run directory, without secrets."""
        write_whole(run / FILE, json.dumps(without_secrets(asdict(self)), indent=2) + "\n")


def _checked_destination(document: dict) -> Destination:
    values = {field.name: document[field.name] for field in fields(Destination)}
    for name in ("id", "project", "name", "mode"):
        require_type(values[name], str, f"'{name}'")
    require_type(values["artifacts"], bool, "'artifacts'")
    return Destination(**values | {"tags": tuple(require_type(values["tags"], list, "'tags'"))})


def mode_now(default: str) -> str:
    """The mode that the environment variable WANDB_MODE names, or else the default: online, offline or disabled."""
    mode = os.environ.get(VARIABLE)
    return mode if mode in MODES else default
