"""When a run is saved: its best weights, and the state with which it goes on after an interruption as if there had been none."""

import logging
import math
import signal
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn

from recsys.disk.folders import point, remove_abandoned
from recsys.errors import ConfigError, Fault, NumericsError
from recsys.ranges import Column, Positive, require_ranges
from recsys.run.checkpoint import distinct, load_checkpoint, load_state, tidy, write_checkpoint
from recsys.run.directory import CHECKPOINTS
from recsys.run.lightning_internals import Place, callbacks_of, remember_metrics, set_steps
from recsys.run.preconditions import (
    require_gradients_that_nccl_adds,
    require_own_buffers,
    require_room,
    require_validation,
    require_whole_steps,
)
from recsys.run.process import Interruption
from recsys.run.training_state import captured, forget_logged, restore, same_everywhere, saved_place
from recsys.schema import nearest

log = logging.getLogger(__name__)
GO_ON, SAVE, STOP = 0, 1, 2
"""Actions between two steps; all processes take the largest of theirs."""


class Checkpoints(Callback):
    """Saves `pl_module.model` as `checkpoints/best`, where validation says so, and the whole run as `checkpoints/last`.

    It saves between steps: after each validation, every `every_s` seconds within an epoch, when training ends, and when SIGTERM or
    Ctrl-C asks to stop, which ends the process with 143 or 130. The state is copied at once and written beside training.

    Args:
        monitor: validation metric that says which weights are best; a NaN never is.
        mode: whether more or less of it is better.
        resume_from: a checkpoint to go on from; None = from the beginning.
        begin: called once, when nothing can refuse the run any more and no step is taken yet.
    """

    def __init__(
        self,
        monitor: Column,
        mode: Literal["max", "min"],
        every_s: Positive = 300.0,
        *,
        resume_from: Path | None = None,
        begin: Callable[[], None] | None = None,
    ):
        require_ranges(Checkpoints, locals())
        self.monitor = monitor
        self.mode = mode
        self.every_s = every_s
        self.resume_from = resume_from
        self._begin = begin
        self.best: float | None = None
        self.interruption = Interruption()
        self._validated: dict[str, Any] | None = None  # epoch and metrics of weights that are not saved yet
        self._is_best = False
        self._saved_at = time.monotonic()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._written: Future | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Removes what a killed process left half-written; goes to where a run stopped, before its batches are asked for."""
        if stage != "fit":
            return
        require_own_buffers(trainer, pl_module)
        require_gradients_that_nccl_adds(trainer, pl_module)
        if trainer.is_global_zero:
            remove_abandoned(checkpoints_folder(trainer))
        if self.resume_from is not None:
            self._state = load_state(self.resume_from)
            saved_place(self._state[1]).take(trainer)
            warnings.filterwarnings("ignore", message=".*your dataloader is not resumable")  # it is: steps are asked for by number

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes weights, optimizers and counters back; without a checkpoint, every step is logged again."""
        if trainer.is_global_zero:
            require_room(checkpoints_folder(trainer), _model(pl_module))
        if self.resume_from is not None:
            load_checkpoint(_model(pl_module), self.resume_from)
            self._metrics = restore(trainer, pl_module, *self._state)
            patient = any(each.wait_count < each.patience for each in callbacks_of(trainer) if isinstance(each, EarlyStopping))
            trainer.should_stop = saved_place(self._state[1]).stopped and not patient  # it may have been given more patience since
            del self._state
        else:
            forget_logged(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Signals are heard from here on; what Lightning has heard before counts."""
        self.interruption.listen()
        if trainer.received_sigterm:
            self.interruption.number = signal.SIGTERM
        self._begun(trainer)
        if self.resume_from is not None:
            remember_metrics(trainer, self._metrics)
        self._saved_at = time.monotonic()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A run whose steps were all taken before has not begun to train; it is tested again."""
        self._begun(trainer)

    def _begun(self, trainer: Trainer) -> None:
        require_whole_steps(trainer)
        require_validation(trainer)
        if self._begin is not None:
            self._begin()
            self._begin = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Saves between two steps, where there is a reason."""
        if self._written is not None and self._written.done():
            self._wait()  # raises what kept it from being written
        place = Place.of(trainer)
        if place.batches_in_epoch % trainer.accumulate_grad_batches:
            return  # half of a step's gradients are there
        set_steps(trainer, place.steps)
        action = same_everywhere(trainer, self._action())
        if action != GO_ON:
            self._save(trainer, pl_module, place)
        if action == STOP:
            self._stop(trainer)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        """Stops within a long evaluation where there is one process; several are not at the same batch, and stop after it."""
        if self.interruption.number and trainer.state.fn == "fit" and trainer.world_size == 1:
            self._save(trainer, pl_module, Place.of(trainer, validation_due=True))
            self._stop(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the metrics of the weights, which are saved before the next step changes them."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        value = self._value(trainer)
        _check_finite(_model(pl_module), trainer.global_step)
        logged = {key: float(metric) for key, metric in sorted(trainer.callback_metrics.items()) if key.startswith("val/")}
        metrics = {key: metric if math.isfinite(metric) else None for key, metric in logged.items()}
        better = self.best is None or (value > self.best if self.mode == "max" else value < self.best)
        self._is_best = math.isfinite(value) and better
        if self._is_best:
            self.best = value
        self._validated = {"epoch": trainer.current_epoch, "metrics": metrics, "value": value if math.isfinite(value) else None}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the end of training, and waits until everything is on disk."""
        self._save(trainer, pl_module, Place.of(trainer, finished=True))
        self._wait()
        trainer.strategy.barrier()  # no process may look for a checkpoint that is still being written
        if same_everywhere(trainer, self._action()) == STOP:
            self._stop(trainer)
        self.interruption.obey()
        if self.best is None:
            what = f"no validation gave a finite '{self.monitor}', so no weights are the best"
            raise NumericsError(Fault(what, str(trainer.default_root_dir), "see metrics.jsonl there, and choose another monitor or loss"))

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interruption.obey()  # nothing is lost by stopping here: testing begins anew

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Lets a checkpoint that is being written come to its end."""
        if self._written is not None:
            self._written.exception()

    def state_dict(self) -> dict[str, Any]:
        """Value of the best weights so far, and its metric."""
        return {"best": self.best, "monitor": self.monitor, "mode": self.mode}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the value back, if it is of the same metric."""
        if (state_dict["monitor"], state_dict["mode"]) == (self.monitor, self.mode):
            self.best = state_dict["best"]

    def _action(self) -> int:
        if self.interruption.number:
            return STOP
        due = self._validated is not None or time.monotonic() - self._saved_at > self.every_s
        return SAVE if due else GO_ON

    def _save(self, trainer: Trainer, module: LightningModule, place: Place) -> None:
        """Copies the run's state now; a thread writes it."""
        _check_finite(_model(module), trainer.global_step)
        state = captured(trainer, module, place)  # of all processes
        validated = self._validated or {"epoch": place.epoch, "metrics": {}, "value": None}
        is_best, self._validated, self._is_best = self._is_best, None, False
        self._saved_at = time.monotonic()
        if not trainer.is_global_zero:
            return
        self._wait()
        weights = {name: tensor.to("cpu", copy=True) for name, tensor in distinct(_model(module).state_dict()).items()}
        about = {"step": place.steps, "monitor": self.monitor, **validated}
        folder = checkpoints_folder(trainer)

        def write() -> None:
            written = write_checkpoint(weights, folder, about=about, state=state)
            if is_best:
                point(folder / "best", written)  # first: the state of `last` says that it stands there
            point(folder / "last", written)
            try:
                tidy(folder)
            except OSError as error:  # nothing is lost by a folder too many
                log.warning("a checkpoint that is no longer needed stays: %s", error)

        self._written = self._writer.submit(write)

    def _wait(self) -> None:
        """Waits until what was saved last is on disk; raises what kept it from being written."""
        if self._written is not None:
            self._written.result()
            self._written = None

    def _stop(self, trainer: Trainer) -> None:
        self._wait()
        trainer.strategy.barrier()  # so that no process ends while the first one writes
        message = f"stopped at step {trainer.global_step}; go on with: python train.py resume={trainer.default_root_dir}"
        log.info(message)
        if not trainer.is_global_zero:
            sys.exit(0)  # Lightning kills the first process when another ends with anything else
        print(message, file=sys.stderr)
        sys.exit(128 + (self.interruption.number or signal.SIGTERM))

    def _value(self, trainer: Trainer) -> float:
        logged = trainer.callback_metrics
        if self.monitor not in logged:
            metrics = sorted(key for key in logged if key.startswith("val/"))
            what = f"no metric is called '{self.monitor}'{nearest(self.monitor, metrics)}"
            raise ConfigError(Fault(what, "monitor, or checkpoint.monitor", f"use one of {', '.join(metrics)}"))
        return float(logged[self.monitor])


def checkpoints_folder(trainer: Trainer) -> Path:
    """The folder of a run's checkpoints; the trainer's `default_root_dir` is the run directory."""
    return Path(trainer.default_root_dir) / CHECKPOINTS


def _model(module: LightningModule) -> nn.Module:
    """The network that a task trains, whose weights a checkpoint holds."""
    assert isinstance(module.model, nn.Module)
    return module.model


def _check_finite(model: nn.Module, step: int) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            what = f"weights are no longer finite at step {step}"
            raise NumericsError(Fault(what, f"model, '{name}'", "lower optimizer.dense.lr and optimizer.tables.lr"))
