"""Every place of Lightning's trainer that its documentation does not promise: where a run that goes on stands in its loops.

pytorch-lightning is pinned to the minor release whose loops this file knows; a test names each place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor

TOUCHED = (
    "fit_loop.epoch_progress.total",
    "fit_loop.epoch_progress.current",
    "fit_loop.epoch_loop.batch_progress.total.processed",
    "fit_loop.epoch_loop.batch_progress.current.processed",
    "fit_loop.epoch_loop.batch_progress.is_last_batch",
    "fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total",
    "fit_loop.epoch_loop.scheduler_progress.total",
    "fit_loop.epoch_loop._batches_that_stepped",
    "fit_loop.epoch_loop.restarting",
    "fit_loop.epoch_loop.val_loop.batch_progress.total.ready",
    "fit_loop.epoch_loop.val_loop.batch_progress.total.started",
    "fit_loop._resuming_from_checkpoint",
    "_logger_connector._callback_metrics",
)
"""Attributes of a trainer that this file reads or writes."""


@dataclass(frozen=True)
class Place:
    """Between which steps training stands.

    Attributes:
        epoch: finished epochs.
        batches: batches taken, over all epochs.
        batches_in_epoch: those of the epoch that has begun; 0 = none has.
        steps: updates of the weights.
        validation_due: a validation after the last batch is not done.
        epoch_ends: that batch is the last of its epoch.
        stopped: training was ended before its last epoch.
    """

    epoch: int
    batches: int
    batches_in_epoch: int
    steps: int
    validation_due: bool
    epoch_ends: bool
    stopped: bool

    @staticmethod
    def of(trainer: Trainer, *, validation_due: bool = False, finished: bool = False) -> "Place":
        """Where a trainer stands before a batch, in a validation, or at the end."""
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress
        return Place(
            epoch=trainer.current_epoch,
            batches=progress.total.processed,
            batches_in_epoch=0 if finished else progress.current.processed,
            steps=trainer.global_step,
            validation_due=validation_due,
            epoch_ends=validation_due and progress.is_last_batch,
            stopped=trainer.should_stop,
        )

    def take(self, trainer: Trainer) -> None:
        """Let a trainer that has not begun go on from here; call it before anything asks for its batches."""
        fit, loop = trainer.fit_loop, trainer.fit_loop.epoch_loop
        counters: list[tuple[Any, int]] = [
            (fit.epoch_progress.total, self.epoch),
            (fit.epoch_progress.current, self.epoch),
            (loop.batch_progress.total, self.batches),
            (loop.batch_progress.current, self.batches_in_epoch),
            (loop.automatic_optimization.optim_progress.optimizer.step.total, self.steps),
            (loop.scheduler_progress.total, self.steps),
        ]
        for counter, number in counters:
            for name in vars(counter):
                setattr(counter, name, number)
        loop.batch_progress.is_last_batch = self.epoch_ends
        set_steps(trainer, self.steps - self.validation_due)  # Lightning counts a step once its validation is over
        loop.restarting = self.batches_in_epoch > 0
        fit._resuming_from_checkpoint = True  # batches are asked for once, from here on
        if self.validation_due:
            started: Any = loop.val_loop.batch_progress.total
            started.ready = started.started = 1  # which tells Lightning to validate before it takes another batch


def set_steps(trainer: Trainer, steps: int) -> None:
    """Let the next value be logged under a step: Lightning counts on only after a validation."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = steps


def remember_metrics(trainer: Trainer, metrics: Mapping[str, Tensor]) -> None:
    """Let those who read metrics at the end of an epoch see those of an earlier validation; call it once training begins."""
    trainer._logger_connector._callback_metrics.update(metrics)


def callbacks_of(trainer: Trainer) -> list[Any]:
    """Callbacks of a trainer, each with attributes of its own; its connector sets them without declaring them."""
    return trainer.callbacks  # type: ignore[attr-defined]
