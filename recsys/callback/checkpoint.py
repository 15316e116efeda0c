"""Weights on disk, published whole: `checkpoints/last` after every evaluation, `checkpoints/best` when validation improved.

A checkpoint is a folder `step-<n>-<sha256>` that is written aside, synced and renamed; `last` and `best` are links to such folders,
replaced in one step. Whoever opens `best/model.safetensors` sees a complete file, whatever happened to the process that wrote it.
"""

import hashlib
import json
import math
import os
import re
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from recsys.errors import ConfigError, Fault, IntegrityError, NumericsError
from recsys.record import read_record, reading, typed
from recsys.schema import nearest

WEIGHTS, ABOUT = "model.safetensors", "checkpoint.json"
FACTS = {
    "step": int,
    "epoch": int,
    "monitor": str,
    "metrics": dict,
    "value": (int, float, type(None)),
    "sha256": str,
}
"""Keys of checkpoint.json, and what stands there."""


class Checkpoints(Callback):
    """Saves the weights of `pl_module.model`, tables that are shared within it once.

    Args:
        monitor: validation metric that says which weights are best; a NaN never is.
        mode: whether more or less of it is better.
    """

    def __init__(self, monitor: str, mode: Literal["max", "min"]):
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Removes what a killed process left half-written."""
        if trainer.is_global_zero:
            for leftover in checkpoints_folder(trainer).glob(".*.tmp"):
                shutil.rmtree(leftover) if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Publishes the weights as `last`, and as `best` if they are."""
        if trainer.sanity_checking:
            return
        value = self._value(trainer)
        _check_finite(pl_module.model, trainer.global_step)
        if trainer.is_global_zero:
            self._publish(trainer, pl_module.model, value)
        trainer.strategy.barrier()  # no process may look for a checkpoint that is still being written

    def _publish(self, trainer: Trainer, model: nn.Module, value: float) -> None:
        folder = checkpoints_folder(trainer)
        logged = {key: float(metric) for key, metric in sorted(trainer.callback_metrics.items()) if key.startswith("val/")}
        metrics = {key: metric if math.isfinite(metric) else None for key, metric in logged.items()}
        about = {"step": trainer.global_step, "epoch": trainer.current_epoch, "monitor": self.monitor, "metrics": metrics}
        written = write_checkpoint(model, folder, about={**about, "value": value if math.isfinite(value) else None})
        point(folder / "last", written)
        if math.isfinite(value) and (self.best is None or (value > self.best if self.mode == "max" else value < self.best)):
            self.best = value
            point(folder / "best", written)
        _remove_unnamed(folder)

    def _value(self, trainer: Trainer) -> float:
        logged = trainer.callback_metrics
        if self.monitor not in logged:
            known = sorted(key for key in logged if key.startswith("val/"))
            what = f"no metric is called '{self.monitor}'{nearest(self.monitor, known)}"
            raise ConfigError(Fault(what, "monitor, or callbacks.checkpoint.monitor", f"use one of {', '.join(known)}"))
        return float(logged[self.monitor])


def checkpoints_folder(trainer: Trainer) -> Path:
    """Where a run keeps its checkpoints: under the trainer's `default_root_dir`, which is the run directory."""
    return Path(trainer.default_root_dir) / "checkpoints"


def write_checkpoint(model: nn.Module, folder: Path, *, about: dict) -> Path:
    """Write the weights and `checkpoint.json` as `folder/step-<n>-<start of the sha256>`, in one rename.

    Args:
        model: whose state is saved, on any device.
        folder: created if need be.
        about: at least "step"; saved as JSON beside the sha256 of the weights.
    Returns:
        The published folder.
    """
    aside = folder / ".step.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    save_model(model, str(aside / WEIGHTS))
    sha256 = _sha256(aside / WEIGHTS)
    (aside / ABOUT).write_text(json.dumps({**about, "sha256": sha256}, indent=2) + "\n")
    for path in (aside / WEIGHTS, aside / ABOUT, aside):
        _sync(path)
    target = folder / f"step-{about['step']:08d}-{sha256[:8]}"
    if target.exists():  # the same step evaluated twice, with the same weights
        shutil.rmtree(aside)
    else:
        aside.rename(target)
        _sync(folder)
    return target


def point(link: Path, target: Path) -> None:
    """Let `link` name `target`, a folder beside it, in one step."""
    aside = link.with_name(f".{link.name}.tmp")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target.name, target_is_directory=True)
    os.replace(aside, link)
    _sync(link.parent)


def load_checkpoint(model: nn.Module, folder: Path) -> dict:
    """Load weights into a model of the same shape.

    Args:
        folder: a checkpoint, such as `<run>/checkpoints/best`.
    Returns:
        What `checkpoint.json` says: step, epoch, monitor, value, metrics (of validation, None where not finite), sha256.
    Raises:
        ConfigError: there is no such checkpoint.
        IntegrityError: the weights are not those that were written, or belong to another model.
    """
    folder = _within(folder)  # a link that moves meanwhile must not mix two checkpoints
    if not (folder / WEIGHTS).exists():
        raise ConfigError(Fault("no checkpoint", str(folder), "name the directory of a run that finished an evaluation"))
    about = checkpoint_facts(folder)
    with reading(folder / WEIGHTS):
        if (folder / WEIGHTS).is_symlink() or not (folder / WEIGHTS).is_file():
            raise ValueError("it is no regular file")
        written = _sha256(folder / WEIGHTS) == about["sha256"]
    if not written:
        raise IntegrityError(Fault(f"{WEIGHTS} is not the file that was written", str(folder), "restore it from a copy, or train again"))
    try:
        load_model(model, str(folder / WEIGHTS))
    except (RuntimeError, SafetensorError, ValueError) as error:
        what = f"the weights belong to another model: {' '.join(str(error).split()):.300}"
        raise IntegrityError(Fault(what, str(folder), "use the run's own config.yaml")) from error
    return about


def checkpoint_facts(folder: Path) -> dict:
    """What `checkpoint.json` says of a checkpoint; see `load_checkpoint`."""
    return read_record(folder / ABOUT, _facts)


def _facts(document: Any) -> dict:
    """A checked `checkpoint.json`: numbers, names and a hash, nothing that names a file or a class."""
    for key, value in typed(document, dict, "it").items():
        typed(value, FACTS.get(key, ()), f"'{key}'")
    if document["step"] < 0 or not re.fullmatch("[0-9a-f]{64}", document["sha256"]):
        raise ValueError("'step' or 'sha256' is none")
    for name, value in document.get("metrics", {}).items():
        typed(value, (int, float, type(None)), f"metric '{name}'")
    return document


def _within(folder: Path) -> Path:
    """Where a checkpoint stands; its link may name a folder beside it, no other."""
    with reading(folder):
        found = folder.resolve()
    if found.parent != folder.parent.resolve():
        raise IntegrityError(Fault(f"it leads to {found}, out of the run", str(folder), "name a run as train.py left it"))
    return found


def _check_finite(model: nn.Module, step: int) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise NumericsError(
                Fault(
                    f"weights are no longer finite at step {step}",
                    f"model, '{name}'",
                    "lower optimizer.dense.lr and optimizer.tables.lr",
                )
            )


def _remove_unnamed(folder: Path) -> None:
    named = {link.resolve() for link in folder.iterdir() if link.is_symlink()}
    for path in folder.glob("step-*"):
        if path.resolve() not in named:
            shutil.rmtree(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
