"""What a sweep has found so far, as files: trials.parquet, the best config as an experiment, the page. Written after every trial."""

import logging
from collections.abc import Sequence
from pathlib import Path

import optuna
import polars as pl

from recsys.config.sweep import SweepConfig
from recsys.sweep.frozen import Plan
from recsys.sweep.page import page
from recsys.sweep.recipe import recipe
from recsys.sweep.rows import Row

log = logging.getLogger(__name__)
TABLE, BEST, FRONT, PAGE = "trials.parquet", "best.yaml", "front", "sweep.html"


def publish(folder: Path, found: Sequence[Row], study: optuna.Study, plan: Plan) -> None:
    """Write every file that tells what was found; each is there whole, or as it was before."""
    aside = folder / f".{TABLE}.tmp"
    frame(found, plan.sweep).write_parquet(aside)
    aside.replace(folder / TABLE)
    for row in found:
        if row.best:
            text = recipe(row.number, row.values, row.parameters, plan, folder)
            if row.rank == 1:
                _write(folder / BEST, text)
            if len(plan.sweep.objectives) > 1:
                (folder / FRONT).mkdir(exist_ok=True)
                _write(folder / FRONT / f"trial-{row.number}.yaml", text)
    for path in (folder / FRONT).glob("*.yaml"):
        if path.stem not in {f"trial-{row.number}" for row in found if row.best}:
            path.unlink()  # a later trial beats it
    _page(folder, found, study, plan)


def frame(found: Sequence[Row], config: SweepConfig) -> pl.DataFrame:
    """One row per trial; objectives and parameters under their keys."""
    columns: dict[str, list] = {name: [getattr(row, name) for row in found] for name in ("rank", "number", "state")}
    columns |= {key: [row.values[key] for row in found] for key in config.objectives}
    columns |= {key: [row.parameters.get(key) for row in found] for key in config.space}
    columns |= {name: [getattr(row, name) for row in found] for name in ("evaluations", "seconds", "run", "reason")}
    kinds = {"rank": pl.Int64, "run": pl.String} | {key: pl.Float64 for key in config.objectives}
    return pl.DataFrame(columns, schema_overrides=kinds, infer_schema_length=None)


def _page(folder: Path, found: Sequence[Row], study: optuna.Study, plan: Plan) -> None:
    try:
        _write(folder / PAGE, page(found, study, plan))
    except Exception:  # what was found is safe: a drawing is no reason to end a sweep
        log.exception("no %s", PAGE)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(text)
    aside.replace(path)
