"""The trials of a sweep that ended, ranked."""

from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from recsys.sweep.sweep_config import SweepConfig

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True)
class EndedTrial:
    """One trial that ended.

    Attributes:
        rank: among the finished, from 1, those that no other beats in every objective before the rest; None for others.
        best: nothing beats it in every objective; with one objective, it is the best.
        values: {objective: value}; where it was pruned, the last that it reported.
        parameters: {key: value, a choice as the command line takes it}.
        run: name of its directory.
        evaluations: that were reported to the pruner.
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
    ended = study.get_trials(deepcopy=False, states=tuple(STATES))
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
            state=STATES[trial.state],
            values=dict(zip(config.objectives, trial.values or [None] * len(config.objectives))),
            parameters=trial.params,
            run=trial.user_attrs.get("run"),
            reason=trial.user_attrs.get("reason", ""),
            seconds=trial.user_attrs.get("seconds", 0.0),
            evaluations=len(trial.intermediate_values),
        )
        for place, trial in enumerate([*finished, *others], 1)
    ]
