"""Files of a sweep's results so far: trials.parquet, the best trial as a file of conf/experiment, the page."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from recsys.disk import whole_file, write_whole
from recsys.sweep.page import page
from recsys.sweep.plan import CONF, Plan
from recsys.sweep.study import EndedTrial
from recsys.sweep.sweep_config import SweepConfig

log = logging.getLogger(__name__)
TABLE, BEST, FRONT, PAGE = "trials.parquet", "best.yaml", "front", "sweep.html"
LEAST_TURN = 10
"""Time from one drawing of the page to the next, in times of what the first took: drawing takes at most a tenth of a sweep."""


def write_results(folder: Path, trials: Sequence[EndedTrial], plan: Plan) -> None:
    """Write all but the page; each file is there whole, or as it was before."""
    with whole_file(folder / TABLE) as aside:
        trials_frame(trials, plan.sweep).write_parquet(aside)
    for row in trials:
        if row.best:
            text = trial_experiment(row.number, row.values, row.parameters, plan, folder)
            if row.rank == 1:
                write_whole(folder / BEST, text)
            if len(plan.sweep.objectives) > 1:
                (folder / FRONT).mkdir(exist_ok=True)
                write_whole(folder / FRONT / f"trial-{row.number}.yaml", text)
    for path in (folder / FRONT).glob("*.yaml"):
        if path.stem not in {f"trial-{row.number}" for row in trials if row.best}:
            path.unlink()  # a later trial beats it


def draw_page(folder: Path, trials: Sequence[EndedTrial], study: optuna.Study, plan: Plan) -> float:
    """Draw the page, which stays as it was where that fails; gives the moment when it is due again."""
    begun = time.monotonic()
    try:
        write_whole(folder / PAGE, page(trials, study, plan))
    except Exception:  # the results are safe: a drawing is no reason to end a sweep
        log.exception("no %s", PAGE)
    return begun + LEAST_TURN * (time.monotonic() - begun)


def trials_frame(trials: Sequence[EndedTrial], config: SweepConfig) -> pl.DataFrame:
    """One row per trial; objectives and parameters under their keys."""
    columns: dict[str, list] = {name: [getattr(row, name) for row in trials] for name in ("rank", "number", "state")}
    columns |= {key: [row.values[key] for row in trials] for key in config.objectives}
    columns |= {key: [row.parameters.get(key) for row in trials] for key in config.space}
    columns |= {name: [getattr(row, name) for row in trials] for name in ("evaluations", "seconds", "run", "reason")}
    kinds = {"rank": pl.Int64, "run": pl.String} | {key: pl.Float64 for key in config.objectives}
    return pl.DataFrame(columns, schema_overrides=kinds, infer_schema_length=None)


def trial_experiment(number: int, values: Mapping[str, float | None], parameters: Mapping[str, object], plan: Plan, folder: Path) -> str:
    """The yaml of a trial with values {objective: value} and parameters {key: text on the command line}, ready for conf/experiment."""
    scores = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
    overrides = [*plan.fixed, *(f"{key}={value}" for key, value in parameters.items())]
    return experiment_yaml(overrides, conf=folder / CONF, header=f"Trial {number} of the sweep '{plan.name}': {scores}.")


def experiment_yaml(overrides: Sequence[str], *, conf: Path, header: str) -> str:
    """The yaml of an experiment that says the same as these checked overrides; what a file cannot say is added to the header's command.

    Args:
        conf: folder of the yaml files, which tells choices from keys.
        header: one line of purpose, without its command.
    """
    defaults: list[Any] = []
    others = []
    document = OmegaConf.create({"defaults": []})
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        group, value = override.key_or_group, override.value()
        if override.is_delete() or any(part.isdecimal() for part in group.split(".")):  # of a list's entry
            others.append(str(override.input_line))
        elif not (conf / group).is_dir() or isinstance(value, dict):
            OmegaConf.update(document, group, value)
        elif group == "experiment":
            defaults += [value] if value else []
        else:
            added = override.is_add() or override.is_force_add()
            defaults.append({f"{'' if added else 'override '}/{override.get_key_element().lstrip('+')}": value})
    document.defaults = [*defaults, "_self_"]
    command = " ".join(["python train.py experiment=best", *others])
    return f"# @package _global_\n# {header}   {command}\n{OmegaConf.to_yaml(document)}"
