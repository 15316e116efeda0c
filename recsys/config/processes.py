"""Several processes of one run: those that Lightning starts get the run's resolved config.

Its command line may stand for many runs (-m), for an earlier run (resume=), or for another moment (a run directory with the time in it).
"""

import ctypes
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsys.config.files import PACKAGE
from recsys.errors import ConfigError, Fault
from recsys.machine import THREADS, is_chosen

FLAG = "--of-run"
GRACE_S = 20
"""Seconds in which the first process of a run ends by itself, if it meets an error too."""
PR_SET_PDEATHSIG = 1
TOGETHER = ("WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")
"""Variables in which torchrun, Slurm and MPI write the number of processes that they started."""
DISTRIBUTED = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that Lightning sets when it starts processes; the next run of this process would take them for its own."""


def require_one_directory(overrides: Sequence[str], *, multirun: bool) -> None:
    """Refuse processes that torchrun or a cluster started together, if they have many configs, or no directory that is the same for all."""
    processes = max(int(number) if (number := os.environ.get(name, "")).isdecimal() else 1 for name in TOGETHER)
    if processes == 1:
        return
    where = f"{processes} processes that were started together"
    if multirun:
        raise ConfigError(Fault("each of them would run everything", where, "leave out -m, or start one process with trainer.devices=N"))
    if not any(text.startswith("hydra.run.dir=") for text in overrides):
        what = "each of them would make a directory of its own, since its name tells the time"
        raise ConfigError(Fault(what, where, "name one with hydra.run.dir=DIR, or start one process with trainer.devices=N"))


@contextmanager
def handed_on(config: dict[str, Any], run: Path, module: str) -> Iterator[None]:
    """Let processes that Lightning starts in the block as `python -m <module>` run this config in this directory."""
    handle, name = tempfile.mkstemp(prefix=".processes-", suffix=".json", dir=run)  # its own: another process may be refused here
    path, command, started = Path(name), sys.argv[1:], sys.modules["__main__"].__spec__
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {name: os.environ.get(name) for name in (*DISTRIBUTED, THREADS, "PYTHONPATH", "PYTHONSAFEPATH")}
    with open(handle, "w") as file:
        file.write(json.dumps({"run": str(run), "config": config, "process": os.getpid()}))
    sys.argv[1:] = [f"{FLAG}={path}"]
    sys.modules["__main__"].__spec__ = find_spec(module)  # where Lightning looks
    os.environ |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}  # this package, whatever stands in the working directory
    if is_chosen():
        del os.environ[THREADS]  # Lightning divides the cores among its processes where the user chose no number
    try:
        yield
    finally:
        sys.argv[1:] = command
        sys.modules["__main__"].__spec__ = started
        path.unlink(missing_ok=True)
        distributed = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            distributed.destroy_process_group()
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
    """Let an error of the block end this process after the one that started it, which would be killed before it can print the same."""
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
