"""Ends a trial of a sweep that does worse than earlier ones did."""

import logging
from pathlib import Path

import optuna
from pytorch_lightning import Callback, LightningModule, Trainer

from recsys.errors import PRUNED
from recsys.ranges import Column, Natural
from recsys.sweep.plan import stored_settings
from recsys.sweep.study import open_study
from recsys.sweep.trial import unknown_objective

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Reports a sweep's objective, `monitor`, after every evaluation of its trial; the sweep's pruner says whether to go on.

    A trial that is pruned ends with exit code 8, on all processes, without a test.
    """

    def __init__(self, monitor: Column, sweep: Path, trial: Natural):
        self.monitor, self.sweep, self.trial = monitor, sweep, trial
        self.evaluations = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        if self.monitor not in trainer.callback_metrics:
            raise unknown_objective(self.monitor, trainer.callback_metrics)
        self.evaluations += 1
        pruned = trainer.is_global_zero and self._reported(float(trainer.callback_metrics[self.monitor]))
        if trainer.strategy.broadcast(pruned):
            log.info("pruned at step %d, evaluation %d", trainer.global_step, self.evaluations)
            raise SystemExit(PRUNED)

    def state_dict(self) -> dict[str, int]:
        return {"evaluations": self.evaluations}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.evaluations = state_dict["evaluations"]

    def _reported(self, value: float) -> bool:
        study = open_study(self.sweep, stored_settings(self.sweep))
        trial = optuna.Trial(study, study.get_trials(deepcopy=False)[self.trial]._trial_id)
        trial.report(value, self.evaluations)
        return trial.should_prune()
