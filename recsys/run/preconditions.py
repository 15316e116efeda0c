"""Refusals before the first step: of a run that could not be saved, would end without best weights, or cannot share its steps."""

import math
import shutil
from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

from recsys.errors import ConfigError, Fault, ResourceError
from recsys.run.checkpoint import distinct
from recsys.run.training_state import MODEL

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


def require_own_buffers(trainer: Trainer, module: LightningModule) -> None:
    """Refuse a strategy that gives all processes the first one's buffers, if the task has any, such as a queue of past items."""
    strategy = trainer.strategy
    if trainer.world_size == 1 or not isinstance(strategy, DDPStrategy) or not strategy._ddp_kwargs.get("broadcast_buffers", True):
        return
    names = [name for name, _ in module.named_buffers() if not name.startswith(MODEL)]
    if names:
        what = f"each step would replace '{names[0]}' of every process by the first one's (broadcast_buffers)"
        remedy = f"choose trainer=ddp trainer.devices={trainer.num_devices}, which leaves each process its own"
        raise ConfigError(Fault(what, "trainer.strategy", remedy))


def require_gradients_that_nccl_adds(trainer: Trainer, module: LightningModule) -> None:
    """Refuse tables with sparse gradients on several GPUs: NCCL has no all-reduce for them (gloo, on CPUs, has)."""
    strategy = trainer.strategy
    if trainer.world_size == 1 or not isinstance(strategy, DDPStrategy) or "nccl" not in str(strategy.process_group_backend):
        return
    rows = [each.num_embeddings for each in module.modules() if isinstance(each, nn.Embedding) and each.sparse]
    if rows:
        what = f"NCCL cannot add up the sparse gradients of several GPUs, which a table of {max(rows):,} rows has"
        keys = "trainer.devices, model.sparse_from (a ranker: model.input.sparse_from)"
        raise ConfigError(Fault(what, keys, f"choose trainer.devices=1, or let sparse_from be at least {max(rows) + 1}"))
