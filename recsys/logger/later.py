"""Sends a run to Weights & Biases after it was trained: what it missed, to the same run there."""

from pathlib import Path

from recsys.errors import ConfigError, Fault, RecsysError, ResourceError
from recsys.logger.destination import DISABLED, FILE, VARIABLE, Destination, mode_now
from recsys.run.directory import RunDirectory


def send_run(run: Path, project: str | None) -> str:
    """Send what is missing; gives the run's address.

    Args:
        project: for a run that was trained without Weights & Biases; None = as it was trained.
    Raises:
        ConfigError: there is no run, it belongs nowhere or to another project, or WANDB_MODE is disabled.
        ResourceError: Weights & Biases does not take it.
    """
    RunDirectory.open(run)
    mode = mode_now("online")
    if mode == DISABLED:
        raise ConfigError(Fault(f"{VARIABLE} is {DISABLED}: nothing is sent", "the environment", "unset it, or say online or offline"))
    run = run.resolve()
    if project is not None:
        _settle(run, project, mode)
    Destination.read(run)
    try:
        from recsys.logger.companion import send  # takes a second, and other commands do without

        return send(run, mode)
    except RecsysError:
        raise
    except Exception as error:  # whatever it raises: its classes are many
        what = f"Weights & Biases does not take it: {type(error).__name__}, {' '.join(str(error).split()):.300}"
        remedy = "mend it, then send again: what has arrived is not sent twice"
        raise ResourceError(Fault(what, str(run), remedy)) from error


def _settle(run: Path, project: str, mode: str) -> None:
    """The run belongs to the project from now on, unless it belongs somewhere already."""
    kept = Destination.find(run)
    if kept is None:
        Destination.of(run, project=project, name=run.name, group=None, tags=(), artifacts=True, mode=mode)
    elif kept.project != project:
        remedy = f"leave --project out, or delete {FILE} to send it as a new run"
        raise ConfigError(Fault(f"the run belongs to project '{kept.project}', not to '{project}'", str(run / FILE), remedy))
