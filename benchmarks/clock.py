"""Seconds: the fastest of many calls, and the phases of training."""

import time
from collections.abc import Callable

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


def fastest(work: Callable[[], object], *, seconds: float) -> float:
    """Seconds of the fastest call, after one that is not counted; calls are made until `seconds` have passed."""
    work()
    stop = now() + seconds
    best = float("inf")
    while best == float("inf") or now() < stop:
        started = now()
        work()
        best = min(best, now() - started)
    return best


def now() -> float:
    """Seconds since some moment, when the accelerator has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class StepClock(Callback):
    """Seconds of each epoch, and what they went into.

    Attributes:
        epochs: one {phase: seconds} per epoch. Phases: batch (made and moved), towers (forward, with the candidates), loss (of retrieval
            with its gradients by user and item vectors), backward (of the towers), optimizer.
    """

    def __init__(self):
        self.epochs: list[dict[str, float]] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the loss from both sides."""
        pl_module.loss.register_forward_pre_hook(lambda *_: self._end("towers"))
        pl_module.loss.register_forward_hook(lambda *_: self._end("loss"))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A new epoch."""
        self.epochs.append(dict.fromkeys(("batch", "towers", "loss", "backward", "optimizer"), 0.0))
        self._lap = now()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx: int) -> None:
        """The batch is there."""
        self._end("batch")

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gradients are there."""
        self._end("backward")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs, batch, batch_idx: int) -> None:
        """Weights are new."""
        self._end("optimizer")

    def _end(self, phase: str) -> None:
        lap = now()
        self.epochs[-1][phase] += lap - self._lap
        self._lap = lap
