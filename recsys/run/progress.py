"""Progress of a run in training: two bars on a terminal, one line per epoch anywhere."""

import math
import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor

from recsys.batch import Batch
from recsys.ranges import Column, Positive
from recsys.schema import PAD


class ProgressBars(Callback):
    """A bar for the epoch and one for the whole run, with rows/s, loss and time left; after each epoch a line that stays.

    A row is one interaction that the loss saw: an entry of a sequence's window counts, padding does not.

    Args:
        metrics: validation metrics to show in an epoch's line; one that is not logged is left out, one that stands twice is shown once.
        refresh_s: seconds between two looks at the loss, each of which waits for the device.
    """

    def __init__(self, metrics: list[Column], refresh_s: Positive):
        self.metrics = metrics
        self.refresh_s = refresh_s
        self.console = Console()
        self.bars: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.console.is_terminal and trainer.is_global_zero:
            self.bars = Progress(
                TextColumn("{task.description:<12}"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("[dim]{task.fields[note]}"),
                TimeRemainingColumn(),
                TextColumn("[dim]left"),
                console=self.console,
                transient=True,
            )
            self.bars.start()
            steps = trainer.estimated_stepping_batches
            self.run = self.bars.add_task("run", total=None if math.isinf(steps) else steps, note="")
            self.epoch = self.bars.add_task("", total=trainer.num_training_batches, note="")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts counting rows, seconds and loss anew."""
        self.rows = torch.zeros((), dtype=torch.int64, device=pl_module.device)
        self.loss = torch.zeros((), device=pl_module.device)
        self.steps, self.away_s = 0, 0.0
        self.started = self.looked = time.monotonic()
        if self.bars is not None:
            epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "?"
            self.bars.reset(self.epoch, total=trainer.num_training_batches, description=f"epoch {trainer.current_epoch + 1}/{epochs}")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Counts on the device; looks at most every `refresh_s`."""
        self.rows += rows_seen(batch)
        self.loss += outputs["loss"]
        self.steps += 1
        if self.bars is not None and time.monotonic() - self.looked > self.refresh_s:
            self.looked = time.monotonic()
            note = f"loss {outputs['loss'].item():.4f}  {self._rate(trainer):,.0f} rows/s"
            self.bars.update(self.epoch, completed=batch_idx + 1, note=note)
            self.bars.update(self.run, completed=trainer.global_step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.left = time.monotonic()
        if self.bars is not None:
            self.bars.update(self.epoch, completed=self.steps)
            self.bars.update(self.run, completed=trainer.global_step)
            self.evaluation: TaskID = self.bars.add_task("validation", total=sum(trainer.num_val_batches), note="")

    def on_validation_batch_end(self, trainer: Trainer, *_: object) -> None:
        if self.bars is not None:
            self.bars.advance(self.evaluation)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":  # evaluating is no training time
            self.away_s += time.monotonic() - self.left
        if self.bars is not None:
            self.bars.remove_task(self.evaluation)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints a line that stays."""
        rate, passed_s = self._rate(trainer), time.monotonic() - self.started
        if trainer.is_global_zero:
            logged = trainer.callback_metrics
            parts = [f"epoch {trainer.current_epoch + 1:>3}", f"loss {self.loss.item() / max(1, self.steps):.4f}"]
            parts += [f"{key} {float(logged[key]):.4f}" for key in dict.fromkeys(self.metrics) if key in logged]
            parts += [f"{rate:,.0f} rows/s", f"{passed_s:.1f} s"]
            self.console.print("  ".join(parts), highlight=False, soft_wrap=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.bars is not None:
            self.bars.stop()
            self.bars = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)

    def _rate(self, trainer: Trainer) -> float:
        """Rows per second of training since the epoch began, over all processes."""
        return self.rows.item() * trainer.world_size / max(1e-9, time.monotonic() - self.started - self.away_s)


def rows_seen(batch: Batch) -> Tensor:
    """Number of interactions with a weight above 0 in a batch, int64 scalar on its device."""
    real = (batch.item != PAD) & (batch.weight > 0).view(-1, *[1] * (batch.item.ndim - 1))
    return real.sum()
