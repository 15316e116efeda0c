"""Several processes of one run: those that Lightning starts get the run's resolved config, not its command line.

A command line may stand for many runs (-m), for one that was begun with other words (resume=), or for another moment (a run directory
with the time in it); the config of one run stands for itself.
"""

import ctypes
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAG = "--of-run"
START = ".processes-"
GRACE_S = 20
"""Seconds in which the first process of a run ends by itself, if it has an error too."""
PR_SET_PDEATHSIG = 1
DISTRIBUTED = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What Lightning writes into the environment when it starts processes; the next run of this one would take it for its own."""


@contextmanager
def handed_on(config: dict[str, Any], run: Path) -> Iterator[None]:
    """Processes that are started within the block run this config in this directory; after it, this process is alone again."""
    handle, name = tempfile.mkstemp(prefix=START, suffix=".json", dir=run)  # its own: another process may be refused here
    path, command = Path(name), sys.argv[1:]
    environment = {name: os.environ.get(name) for name in DISTRIBUTED}
    with open(handle, "w") as file:
        file.write(json.dumps({"run": str(run), "config": config, "process": os.getpid()}))
    sys.argv[1:] = [f"{FLAG}={path}"]
    try:
        yield
    finally:
        sys.argv[1:] = command
        path.unlink(missing_ok=True)
        _leave_group()
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def received(path: Path) -> tuple[dict[str, Any], Path]:
    """Config and directory of the run that this process was started for; it dies with the one that started it, however that ends."""
    document = json.loads(path.read_text())
    _die_with(document["process"])
    return document["config"], Path(document["run"])


@contextmanager
def outlived() -> Iterator[None]:
    """An error of the block ends this process after the one that started it, which has the same one to tell, and is not killed for it."""
    try:
        yield
    except BaseException:
        time.sleep(GRACE_S)
        raise


def _die_with(process: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != process:  # it has died already
        os._exit(1)


def _leave_group() -> None:
    if "torch.distributed" not in sys.modules:
        return
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
