"""Optuna's study of a sweep, kept in `journal.log`: its trials, what they reported and how they ended.

A journal and not SQLite, since any process of any trial may be killed at any moment: a kernel lock ends with the process that held it,
a line that was half written is cut off by the next writer, and nothing waits for a busy database. It also opens in milliseconds, where
SQLAlchemy takes 0.8 s in the process of every trial that reports to it.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import TrialState

from recsys.config.overrides import as_override, value_text
from recsys.disk.locks import Lock, lock
from recsys.disk.records import reading
from recsys.sweep.sweep_config import Range, SweepConfig, dimensions

JOURNAL = "journal.log"
NAME = "sweep"
STEPS_BETWEEN = 3
"""Each rung of halving and hyperband has three times the evaluations of the one below."""
STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class KernelLock(JournalFileOpenLock):
    """A lock that a killed process cannot leave behind; whoever takes it cuts off what a killed one left half written."""

    def __init__(self, path: Path):
        self.path = path
        self.held: Lock | None = None

    def acquire(self) -> bool:
        self.held = lock(self.path)
        file = self.held.descriptor
        if (size := os.fstat(file).st_size) and os.pread(file, 1, size - 1) != b"\n":
            os.ftruncate(file, self.path.read_bytes().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        if self.held is not None:
            self.held.release()


def open_study(folder: Path, config: SweepConfig) -> optuna.Study:
    """The study of a sweep's directory, begun if it is new."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    directions = [StudyDirection.MAXIMIZE if which == "max" else StudyDirection.MINIMIZE for which in config.objectives.values()]
    journal = folder / JOURNAL
    own = KernelLock(journal)
    own.acquire()  # cut off half a line before it is read
    own.release()
    with reading(journal, "restore it from a copy, or start a new sweep with hydra.sweep.dir=DIR"):
        storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=own))
        return optuna.create_study(storage=storage, study_name=NAME, directions=directions, pruner=pruner_of(config), load_if_exists=True)


def ask(study: optuna.Study, config: SweepConfig) -> optuna.Trial:
    """A new trial, whose values depend on the seed, its number and the trials before it: a sweep that was killed goes on alike."""
    study.sampler = sampler_of(config, len(study.get_trials(deepcopy=False)))
    trial = study.ask()
    suggested_overrides(trial, config)
    return trial


def unfinished_trials(study: optuna.Study, config: SweepConfig) -> list[optuna.Trial]:
    """Trials that have begun and not ended; one that was killed while its values were drawn gets those that are missing."""
    trials = []
    for open_trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.sampler = sampler_of(config, open_trial.number)
        trials.append(optuna.Trial(study, open_trial._trial_id))
        suggested_overrides(trials[-1], config)
    return trials


def tell(study: optuna.Study, trial: optuna.Trial, values: Sequence[float], state: TrialState) -> None:
    """Note how a trial ended."""
    study.sampler = RandomSampler()  # it draws nothing here; a grid's would stop Optuna's own loop at its last point
    study.tell(trial, list(values) or None, state=state)


def suggested_overrides(trial: optuna.Trial, config: SweepConfig) -> list[str]:
    """The trial's values as overrides."""
    texts = []
    for key, dimension in dimensions(config.space).items():
        if isinstance(dimension, list):
            texts.append(f"{key}={trial.suggest_categorical(key, [value_text(value) for value in dimension])}")
        elif dimension.is_integer:
            low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
            texts.append(as_override(key, trial.suggest_int(key, low, high, log=dimension.log, step=step)))
        else:
            texts.append(as_override(key, trial.suggest_float(key, dimension.low, dimension.high, log=dimension.log, step=dimension.step)))
    return texts


def sampler_of(config: SweepConfig, number: int) -> BaseSampler:
    """The sampler of one trial's values; trials that still run count as bad ones, so that parallel ones differ."""
    if config.sampler == "grid":
        space = dimensions(config.space).items()
        points = {key: each.values() if isinstance(each, Range) else [value_text(value) for value in each] for key, each in space}
        return GridSampler(points, seed=config.seed)
    seed = int(np.random.SeedSequence((config.seed, number)).generate_state(1)[0])
    return RandomSampler(seed=seed) if config.sampler == "random" else TPESampler(seed=seed, constant_liar=True)


def pruner_of(config: SweepConfig) -> BasePruner:
    """The pruner, which compares the n-th evaluation of a trial with the n-th of others."""
    if config.pruner == "median":
        return MedianPruner(n_startup_trials=4, n_warmup_steps=2)  # the first evaluation is too early
    if config.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=STEPS_BETWEEN)
    if config.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, reduction_factor=STEPS_BETWEEN)
    return NopPruner()


@dataclass(frozen=True)
class EndedTrial:
    """One trial that ended.

    Attributes:
        rank: among the finished, from 1, those that no other beats in every objective before the rest; None for others.
        best: nothing beats it in every objective; with one objective, it is the best.
        values: {objective: value}; where it was pruned, the last that it reported.
        parameters: {key: value, a choice as the command line takes it}.
        run: name of its directory.
        evaluations: number of those that were reported to the pruner.
    """

    rank: int | None
    best: bool
    number: int
    state: str
    values: dict[str, float | None]
    parameters: dict[str, Any]
    run: str | None
    reason: str
    seconds: float
    evaluations: int


def ended_trials(study: optuna.Study, config: SweepConfig) -> list[EndedTrial]:
    """Trials that ended, best first, then pruned and failed ones as they came."""
    ended = study.get_trials(deepcopy=False, states=tuple(STATES.values()))
    names = {state: name for name, state in STATES.items()}
    front = {trial.number for trial in study.best_trials}
    sign = -1 if next(iter(config.objectives.values())) == "max" else 1
    finished = [trial for trial in ended if trial.state is TrialState.COMPLETE]
    finished.sort(key=lambda trial: (trial.number not in front, sign * trial.values[0], trial.number))
    others = [trial for trial in ended if trial.state is not TrialState.COMPLETE]
    if len(config.objectives) == 1:
        front = {finished[0].number} if finished else set()  # the first of equals
    return [
        EndedTrial(
            rank=place if trial.state is TrialState.COMPLETE else None,
            best=trial.number in front,
            number=trial.number,
            state=names[trial.state],
            values=dict(zip(config.objectives, trial.values or [None] * len(config.objectives))),
            parameters=trial.params,
            run=trial.user_attrs.get("run"),
            reason=trial.user_attrs.get("reason", ""),
            seconds=trial.user_attrs.get("seconds", 0.0),
            evaluations=len(trial.intermediate_values),
        )
        for place, trial in enumerate([*finished, *others], 1)
    ]
