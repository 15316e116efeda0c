"""A trial as a file of conf/experiment: the choices and values that it differs by from the defaults."""

from collections.abc import Mapping
from pathlib import Path

from recsys.sweep.experiment import experiment
from recsys.sweep.frozen import CONF, Plan


def recipe(number: int, values: Mapping[str, float], parameters: Mapping[str, object], plan: Plan, folder: Path) -> str:
    """The yaml of a trial, ready for conf/experiment.

    Args:
        values: {objective: value}.
        parameters: {key: value, a choice as the command line takes it}.
        folder: of the sweep.
    """
    scored = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
    header = f"Trial {number} of the sweep '{plan.name}': {scored}."
    overrides = [*plan.fixed, *(f"{key}={value}" for key, value in parameters.items())]
    return experiment(overrides, conf=folder / CONF, header=header)
