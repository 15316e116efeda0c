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


class Moment:
    """A point of the work of an accelerator, or of the host without one; nothing waits for it until `seconds_since` is asked."""

    def __init__(self):
        self.event = torch.cuda.Event(enable_timing=True) if torch.cuda.is_available() else None
        if self.event is not None:
            self.event.record()
        self.host_s = time.perf_counter()

    def seconds_since(self, earlier: "Moment") -> float:
        """Seconds between two moments; waits until the accelerator has reached this one."""
        if self.event is None or earlier.event is None:
            return self.host_s - earlier.host_s
        self.event.synchronize()
        return earlier.event.elapsed_time(self.event) / 1000  # it is in ms


class StepClock(Callback):
    """Seconds of each epoch, and what they went into. On an accelerator each phase is between two events of it, so that no step waits.

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
        self._start = Moment()
        self._laps: list[tuple[str, Moment]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx: int) -> None:
        """The batch is there."""
        self._end("batch")

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gradients are there."""
        self._end("backward")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs, batch, batch_idx: int) -> None:
        """Weights are new."""
        self._end("optimizer")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds up the epoch's phases."""
        start = self._start
        for phase, lap in self._laps:
            self.epochs[-1][phase] += lap.seconds_since(start)
            start = lap

    def _end(self, phase: str) -> None:
        self._laps.append((phase, Moment()))
