"""Comparison of retrieval runs, user by user, in metrics that are means over users. U users, R runs."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from recsys.disk.records import reading
from recsys.metric.declaration import Declaration, usual_columns
from recsys.metric.interval import interval_of_mean
from recsys.metric.paired import Measure, drawn_again
from recsys.metric.per_user import declarations
from recsys.report.compare import Measured, require_same_rows, weighted_totals
from recsys.run.directory import CONFIG, PER_USER, RunDirectory

RESAMPLES = 2_000
REMEDY = "train one of them again with the task.evaluation.ks of the other"
"""Remedy where no metric can be compared."""


def incomparable(first: RunDirectory, run: RunDirectory) -> Iterator[str]:
    """Reasons why two runs of the same test cannot be compared."""
    one, two = (_exclude_known(each) for each in (first, run))
    if one != two:
        yield f"task.evaluation.exclude_known differs: {one} and {two}"


def measurements(runs: Sequence[RunDirectory], names: Sequence[str]) -> Measured:
    """Metrics of every user, of all runs."""
    columns, left_out = _shared(runs, names)
    keys = [f"test/{column}" for column in columns]
    user = runs[0].test["user"]
    tables = [_per_user(run, user, keys) for run in runs]
    for run, table in zip(runs, tables):
        require_same_rows(run, PER_USER, table[user].equals(tables[0][user]), "users")
    number = len(tables[0])
    values = {column: np.stack([table[key].to_numpy() for table in tables], 1) for column, key in zip(columns, keys)}
    measures = {column: _means(of_runs) for column, of_runs in values.items()}
    imagined = {column: float(np.square(of_runs[:, 1:] - of_runs[:, :1]).max()) for column, of_runs in values.items()}
    less = frozenset(column for column, metric in _compared_metrics(runs[0].metrics).items() if metric.better == "less")
    samples = drawn_again(measures, number, RESAMPLES, bearing=number, interval=lambda _: interval_of_mean, imagined=imagined)
    return Measured(samples, left_out, "users", number, less)


def _exclude_known(run: RunDirectory) -> Any:
    with reading(run.path / CONFIG):
        return run.plain["task"]["evaluation"]["exclude_known"]


def _per_user(run: RunDirectory, user: str, keys: Sequence[str]) -> pl.DataFrame:
    """Users, and the finite values of each."""
    table = run.table(PER_USER, [user, *keys])
    with reading(run.path / PER_USER):
        if table.is_empty():
            raise ValueError("it has no users")
        for key in keys:
            if not np.isfinite(table[key].to_numpy()).all():
                raise ValueError(f"column '{key}' holds a value that is no finite number")
    return table


def _shared(runs: Sequence[RunDirectory], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Metrics that all runs have, at the cut-offs nearest to the usual ones; and all others, with the names of the runs that have them."""
    columns = list(_compared_metrics([key for key in runs[0].metrics if all(key in run.metrics for run in runs)]))
    owners: dict[str, list[str]] = {}
    for run, name in zip(runs, names):
        for column in _compared_metrics(run.metrics):
            owners.setdefault(column, []).append(name)
    return columns, [f"{column} (measured by {', '.join(those)})" for column, those in owners.items() if column not in columns]


def _compared_metrics(keys: Collection[str]) -> dict[str, Declaration]:
    """Metrics to compare that these keys of a run hold."""
    return usual_columns([metric for metric in declarations() if metric.compared], keys, "test/")


def _means(values: np.ndarray) -> Measure:
    """Mean of each run's column of values [U, R]."""
    columns = np.ascontiguousarray(values.T)
    return lambda copies: [total / len(values) for total in weighted_totals(columns, copies)]
