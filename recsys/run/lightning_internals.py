"""Every place of Lightning's trainer that its documentation does not promise: where a run that goes on stands in its loops.

pytorch-lightning is pinned to the minor release whose loops these functions know; a test names each place.
"""

from collections.abc import Mapping
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
"""Attributes of a trainer that the functions below read or write."""


def batches_of(trainer: Trainer) -> Any:
    """Lightning's count of training batches: `total` and `current`, and whether the last was that of its epoch."""
    return trainer.fit_loop.epoch_loop.batch_progress


def set_steps(trainer: Trainer, steps: int) -> None:
    """Let the next value be logged under a step: Lightning counts on only after a validation."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = steps


def set_place(
    trainer: Trainer, *, epoch: int, batches: int, batches_in_epoch: int, steps: int, validation_due: bool, epoch_ends: bool
) -> None:
    """Let a trainer that has not begun go on from here; call it before anything asks for its batches.

    Args:
        epoch: finished epochs.
        batches, batches_in_epoch: batches taken over all epochs, and in the one that has begun.
        steps: updates of the weights.
        validation_due: a validation after the last batch is not done.
        epoch_ends: that batch is the last of its epoch.
    """
    fit, loop = trainer.fit_loop, trainer.fit_loop.epoch_loop
    for progress in (fit.epoch_progress.total, fit.epoch_progress.current):
        _count(progress, epoch)
    _count(loop.batch_progress.total, batches)
    _count(loop.batch_progress.current, batches_in_epoch)
    loop.batch_progress.is_last_batch = epoch_ends
    for each in (loop.automatic_optimization.optim_progress.optimizer.step, loop.scheduler_progress):
        _count(each.total, steps)
    set_steps(trainer, steps - validation_due)  # Lightning counts a step once its validation is over
    loop.restarting = batches_in_epoch > 0
    fit._resuming_from_checkpoint = True  # batches are asked for once, from here on
    if validation_due:
        started: Any = loop.val_loop.batch_progress.total
        started.ready = started.started = 1  # which tells Lightning to validate before it takes another batch


def remember_metrics(trainer: Trainer, metrics: Mapping[str, Tensor]) -> None:
    """Let those who read metrics at the end of an epoch see those of an earlier validation; call it once training begins."""
    trainer._logger_connector._callback_metrics.update(metrics)


def _count(tracker: Any, number: int) -> None:
    """Set everything that Lightning counts of one thing."""
    for name in vars(tracker):
        setattr(tracker, name, number)


def callbacks_of(trainer: Trainer) -> list[Any]:
    """Callbacks of a trainer, each with attributes of its own; its connector sets them without declaring them."""
    return trainer.callbacks  # type: ignore[attr-defined]
