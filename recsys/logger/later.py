"""Sends a run to Weights & Biases after it was trained: what it missed, to the same run there."""

import os
from pathlib import Path

from recsys.errors import ConfigError, Fault, RecsysError, ResourceError
from recsys.logger.destination import Destination
from recsys.record import CONFIG


def send_run(run: Path, project: str | None) -> str:
    """Send what is missing; gives the run's address.

    Args:
        project: for a run that was trained without Weights & Biases; None = as it was trained.
    Raises:
        ConfigError: there is no run, or it belongs nowhere.
        ResourceError: Weights & Biases does not take it.
    """
    if not (run / CONFIG).is_file():
        raise ConfigError(Fault("there is no run here: it has no config.yaml", str(run), "name the directory that train.py printed"))
    run = run.resolve()
    if project is not None:
        Destination.of(run, project=project, name=run.name, group=None, tags=(), artifacts=True, mode="online")
    Destination.read(run)
    try:
        from recsys.logger.companion import send  # takes a second, and other commands do without

        return send(run, "offline" if os.environ.get("WANDB_MODE") == "offline" else "online")
    except RecsysError:
        raise
    except Exception as error:  # whatever it raises: its classes are many
        what = f"Weights & Biases does not take it: {type(error).__name__}, {' '.join(str(error).split()):.300}"
        remedy = "mend it, then send again: what has arrived is not sent twice"
        raise ResourceError(Fault(what, str(run), remedy)) from error
