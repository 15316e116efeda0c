"""Refusals before the first step: of a run that could not be saved, or would end without best weights."""

import math
import shutil
from pathlib import Path

from pytorch_lightning import Trainer
from torch import nn

from recsys.errors import ConfigError, Fault, ResourceError
from recsys.run.checkpoint import distinct

ROOM, STATES_PER_WEIGHT = 2.5, 3
"""Free space in sizes of a checkpoint: the old, the new, and a half-written one; its numbers per weight: itself and two moments of it."""


def require_whole_steps(trainer: Trainer) -> None:
    """Refuse to validate between the batches of one step: those weights would be gone before they could be saved."""
    every, together = trainer.val_check_batch, trainer.accumulate_grad_batches
    if every is not None and every < trainer.num_training_batches and every % together:
        what = f"a validation every {every} batches falls between the {together} batches of a step"
        raise ConfigError(Fault(what, "trainer.val_check_interval", f"choose a multiple of {together}"))


def require_validation(trainer: Trainer) -> None:
    """Refuse a run that would end before its first validation, which chooses the best weights."""
    in_epoch, every, epochs = trainer.num_training_batches, trainer.val_check_batch, trainer.check_val_every_n_epoch
    if every is None:  # minutes, which nobody can foresee
        return
    first = every if epochs is None else min(every, in_epoch) + (epochs - 1) * in_epoch
    limits = (trainer.max_epochs, in_epoch), (trainer.max_steps, trainer.accumulate_grad_batches)
    last = min([limit * batches for limit, batches in limits if limit not in (None, -1)], default=math.inf)
    if not trainer.enable_validation or first > last:
        what = f"it would end after {last:,} batches, before its first validation"
        keys = "trainer.limit_val_batches, trainer.check_val_every_n_epoch, trainer.val_check_interval"
        raise ConfigError(Fault(what, keys, "let it validate: the best weights are chosen, tested and exported by that"))


def require_room(folder: Path, model: nn.Module) -> None:
    """Refuse a run whose checkpoints would not fit on the disk."""
    size = STATES_PER_WEIGHT * sum(tensor.nbytes for tensor in distinct(model.state_dict()).values())
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    if free < ROOM * size:
        what = f"a checkpoint may take {size:,} bytes: {ROOM:g} times that is needed, and {free:,} are free"
        raise ResourceError(Fault(what, str(folder), "free space, or choose another disk with hydra.run.dir=DIR"))
