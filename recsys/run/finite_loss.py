"""Stops a run at the first loss that is not finite."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from recsys.errors import Fault, NumericsError
from recsys.ranges import Count

NEVER = torch.iinfo(torch.int64).max


class FiniteLoss(Callback):
    """Notes on the device when the loss was first NaN or infinite, and looks at the note every n steps: reading it waits for the device.

    It looks before every evaluation too, so that no broken weights become a checkpoint. All processes stop together.
    """

    def __init__(self, every_n_steps: Count):
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps must be at least 1, got {every_n_steps}; set callbacks.finite_loss.every_n_steps")
        self.every_n_steps = every_n_steps
        self.first: Tensor | None = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: object, batch_idx: int) -> None:
        """Notes the step, and looks every `every_n_steps`."""
        loss = outputs["loss"]
        if self.first is None:
            self.first = torch.full((), NEVER, device=loss.device)
        self.first = torch.where(torch.isfinite(loss), self.first, self.first.clamp(max=trainer.global_step))
        if trainer.global_step % self.every_n_steps == 0:
            self._look(trainer, self.first)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks before an evaluation, and so before a checkpoint."""
        if self.first is not None:
            self._look(trainer, self.first)

    def _look(self, trainer: Trainer, noted: Tensor) -> None:
        first = int(trainer.strategy.reduce(noted.neg(), reduce_op="max").neg())  # the earliest of all processes
        if first != NEVER:
            what = f"the loss is not finite since step {first}"
            raise NumericsError(Fault(what, f"epoch {trainer.current_epoch}", "lower optimizer.dense.lr and optimizer.tables.lr"))
