"""What a sweep has found so far, as files: trials.parquet, the best config as an experiment, the page."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
import polars as pl

from recsys.disk import whole_file, write_whole
from recsys.sweep.ended_trials import EndedTrial
from recsys.sweep.experiment import trial_experiment
from recsys.sweep.page import page
from recsys.sweep.plan import Plan
from recsys.sweep.sweep_config import SweepConfig

log = logging.getLogger(__name__)
TABLE, BEST, FRONT, PAGE = "trials.parquet", "best.yaml", "front", "sweep.html"
LEAST_TURN = 10
"""From one drawing of the page to the next, in times of what the first took."""


def write_results(folder: Path, found: Sequence[EndedTrial], plan: Plan) -> None:
    """Write what was found, all but the page; each file is there whole, or as it was before."""
    with whole_file(folder / TABLE) as aside:
        trials_frame(found, plan.sweep).write_parquet(aside)
    for row in found:
        if row.best:
            text = trial_experiment(row.number, row.values, row.parameters, plan, folder)
            if row.rank == 1:
                write_whole(folder / BEST, text)
            if len(plan.sweep.objectives) > 1:
                (folder / FRONT).mkdir(exist_ok=True)
                write_whole(folder / FRONT / f"trial-{row.number}.yaml", text)
    for path in (folder / FRONT).glob("*.yaml"):
        if path.stem not in {f"trial-{row.number}" for row in found if row.best}:
            path.unlink()  # a later trial beats it


class Drawing:
    """The page of a sweep on disk, drawn again and again; one that cannot be drawn stays as it was.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.due = time.monotonic()

    def draw(self, found: Sequence[EndedTrial], study: optuna.Study, plan: Plan) -> None:
        """Draws it, and says when it is due again: so that drawing takes at most a tenth of a sweep's time."""
        begun = time.monotonic()
        try:
            write_whole(self.folder / PAGE, page(found, study, plan))
        except Exception:  # what was found is safe: a drawing is no reason to end a sweep
            log.exception("no %s", PAGE)
        self.due = begun + LEAST_TURN * (time.monotonic() - begun)


def trials_frame(found: Sequence[EndedTrial], config: SweepConfig) -> pl.DataFrame:
    """One row per trial; objectives and parameters under their keys."""
    columns: dict[str, list] = {name: [getattr(row, name) for row in found] for name in ("rank", "number", "state")}
    columns |= {key: [row.values[key] for row in found] for key in config.objectives}
    columns |= {key: [row.parameters.get(key) for row in found] for key in config.space}
    columns |= {name: [getattr(row, name) for row in found] for name in ("evaluations", "seconds", "run", "reason")}
    kinds = {"rank": pl.Int64, "run": pl.String} | {key: pl.Float64 for key in config.objectives}
    return pl.DataFrame(columns, schema_overrides=kinds, infer_schema_length=None)
