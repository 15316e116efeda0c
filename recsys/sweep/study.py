"""Optuna's study of a sweep, kept in `journal.log`: what was asked, reported and told.

A journal and not SQLite, since any process of any trial may be killed at any moment: a kernel lock ends with the process that held it,
a line that was half written is cut off by the next writer, and nothing waits for a busy database. It also opens in milliseconds, where
SQLAlchemy takes 0.8 s in the process of every trial that reports to it.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import TrialState

from recsys.config.overrides import as_override
from recsys.disk.locks import Lock, lock
from recsys.disk.records import reading
from recsys.sweep.sweep_config import Dimension, Range, SweepConfig, dimensions

JOURNAL = "journal.log"
NAME = "sweep"
STEPS_BETWEEN = 3
"""Each rung of halving and hyperband has three times the evaluations of the one below."""


class KernelLock(JournalFileOpenLock):
    """A lock that a killed process cannot leave behind; whoever takes it cuts off what a killed one left half written."""

    def __init__(self, path: Path):
        self.path = path
        self.held: Lock | None = None

    def acquire(self) -> bool:
        """Waits for its turn."""
        self.held = lock(self.path)
        whole = self.path.read_bytes().rfind(b"\n") + 1 if not _ends_a_line(self.held.descriptor) else None
        if whole is not None:
            os.ftruncate(self.held.descriptor, whole)
        return True

    def release(self) -> None:
        """Lets the next one in."""
        if self.held is not None:
            self.held.release()


def _ends_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return not size or os.pread(file, 1, size - 1) == b"\n"


def open_study(folder: Path, config: SweepConfig) -> optuna.Study:
    """The study of a sweep's directory, begun if it is new."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    directions = [StudyDirection.MAXIMIZE if which == "max" else StudyDirection.MINIMIZE for which in config.objectives.values()]
    with reading(folder / JOURNAL, "restore it from a copy, or start a new sweep with hydra.sweep.dir=DIR"):
        storage = JournalStorage(_backend(folder))
        return optuna.create_study(storage=storage, study_name=NAME, directions=directions, pruner=pruner_of(config), load_if_exists=True)


def _backend(folder: Path) -> BaseJournalBackend:
    path = folder / JOURNAL
    lock = KernelLock(path)
    lock.acquire()  # cut off half a line before it is read
    lock.release()
    return JournalFileBackend(str(path), lock_obj=lock)


def ask(study: optuna.Study, config: SweepConfig) -> optuna.Trial:
    """A new trial. Its values depend on the seed, its number and the trials before it, so a sweep that was killed goes on alike."""
    study.sampler = sampler_of(config, len(study.get_trials(deepcopy=False)))
    trial = study.ask()
    suggested_overrides(trial, config)
    return trial


def unfinished_trials(study: optuna.Study, config: SweepConfig) -> list[optuna.Trial]:
    """Trials that were asked for and never told; one that was killed while its values were drawn gets those that are missing."""
    trials = []
    for open_trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.sampler = sampler_of(config, open_trial.number)
        trials.append(optuna.Trial(study, open_trial._trial_id))
        suggested_overrides(trials[-1], config)
    return trials


def tell(study: optuna.Study, trial: optuna.Trial, values: Sequence[float], state: TrialState) -> None:
    """How a trial ended."""
    study.sampler = RandomSampler()  # it draws nothing here; a grid's would stop Optuna's own loop at its last point
    study.tell(trial, list(values) or None, state=state)


def suggested_overrides(trial: optuna.Trial, config: SweepConfig) -> list[str]:
    """The trial's values as overrides."""
    texts = []
    for key, dimension in dimensions(config.space).items():
        if isinstance(dimension, list):
            choices = [as_override(key, value) for value in dimension]
            texts.append(f"{key}={trial.suggest_categorical(key, [text.partition('=')[2] for text in choices])}")
        elif dimension.whole:
            low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
            texts.append(as_override(key, trial.suggest_int(key, low, high, log=dimension.log, step=step)))
        else:
            texts.append(as_override(key, trial.suggest_float(key, dimension.low, dimension.high, log=dimension.log, step=dimension.step)))
    return texts


def sampler_of(config: SweepConfig, number: int) -> BaseSampler:
    """What draws the values of one trial; trials that still run count as bad ones, so that parallel ones differ."""
    if config.sampler == "grid":
        return GridSampler(_grid(dimensions(config.space)), seed=config.seed)
    seed = int(np.random.SeedSequence((config.seed, number)).generate_state(1)[0])
    return RandomSampler(seed=seed) if config.sampler == "random" else TPESampler(seed=seed, constant_liar=True)


def _grid(space: Mapping[str, Dimension]) -> dict[str, list[Any]]:
    return {
        key: dimension.values() if isinstance(dimension, Range) else [as_override(key, value).partition("=")[2] for value in dimension]
        for key, dimension in space.items()
    }


def pruner_of(config: SweepConfig) -> BasePruner:
    """What decides after an evaluation; the n-th one of a trial is compared with the n-th of others."""
    if config.pruner == "median":
        return MedianPruner(n_startup_trials=4, n_warmup_steps=2)  # the first evaluation is too early
    if config.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=STEPS_BETWEEN)
    if config.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, reduction_factor=STEPS_BETWEEN)
    return NopPruner()
