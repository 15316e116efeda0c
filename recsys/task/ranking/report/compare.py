"""Comparison of ranking runs, label by label, users drawn again with all their rows. N rows, U units, R runs."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from recsys.metric import binary
from recsys.metric.funnel import Target
from recsys.metric.impressions import impressions, interval_of
from recsys.metric.interval import interval_of_ratio
from recsys.metric.paired import Measure, Sample, drawn_again
from recsys.report.compare import Measured, differences, require_same_rows, weighted_totals
from recsys.run.directory import PREDICTIONS, RunDirectory
from recsys.task.ranking.report.labels import declarations
from recsys.task.ranking.report.predictions import tested_labels, tested_targets

RESAMPLES = 400
REMEDY = "compare runs whose test rows hold both classes of a label"
"""Remedy where no metric can be compared."""


def incomparable(first: RunDirectory, run: RunDirectory) -> Iterator[str]:
    """Reasons why two runs of the same test cannot be compared."""
    meanings = [{label.column: {"given": label.given, "kind": label.kind} for label in tested_labels(each)} for each in (first, run)]
    for key, (old, new) in differences(*meanings).items():
        yield f"their labels mean different things: {key} is {old} and {new}"


def measurements(runs: Sequence[RunDirectory], names: Sequence[str]) -> Measured:
    """AUC and log loss of every 0/1 label, and the error of numbers, of all runs."""
    read = [tested_targets(run) for run in runs]
    columns = (runs[0].test["user"], *(label.column for label in tested_labels(runs[0])))
    keys = [column for column in columns if column is not None]
    tables = [run.table(PREDICTIONS, keys) for run in runs]
    for run, rows in zip(runs, tables):
        require_same_rows(run, PREDICTIONS, rows.equals(tables[0]), "users or labels")
    user = read[0][1]
    samples: list[Sample] = []
    left_out = []
    for of_runs in zip(*(targets for targets, _ in read), strict=True):
        first, measured_rows = of_runs[0], of_runs[0].rows
        if first.actual[measured_rows].unique().numel() < (2 if first.binary else 1):
            left_out.append(f"{first.name} (its test rows do not hold {'both classes' if first.binary else 'a number'})")
            continue
        samples += (_binary if first.binary else _numbers)(of_runs, measured_rows, None if user is None else user[measured_rows])
    number = len(read[0][0][0].rows) if user is None else len(user.unique())
    less = {metric.name for metric in declarations() if metric.better == "less"}
    names_of_less = frozenset(sample.metric for sample in samples if sample.metric.rpartition("/")[2] in less)
    return Measured(samples, left_out, "rows" if user is None else "users", number, names_of_less)


def _binary(of_runs: Sequence[Target], rows: Tensor, user: Tensor | None) -> list[Sample]:
    """The compared metrics of a 0/1 label, of the rows that it concerns."""
    actual, name = of_runs[0].actual[rows], of_runs[0].name
    sorted_rows = [impressions(target.predicted[rows], actual, user=user, session=None, ks=[]) for target in of_runs]
    losses = np.stack([binary.log_losses(target.predicted[rows], actual) for target in of_runs], 1)

    def of_counts(measure: binary.OfCounts, copies: np.ndarray) -> list[float]:
        return [measure(each.ordered.tally(copies[each.unit]), {}) for each in sorted_rows]

    measures: dict[str, Measure] = {}
    for metric in binary.METRICS:
        if metric.compared and metric.measure is not None:
            measures[f"{name}/{metric.name}"] = partial(of_counts, metric.measure)
        elif metric.compared:
            assert metric.name == "log_loss", "of quotients of sums, only the log loss is compared"
            measures[f"{name}/{metric.name}"] = _quotients(losses, _units(user, len(actual)))
    first = sorted_rows[0]
    return drawn_again(measures, first.num_units, RESAMPLES, bearing=first.num_bearing(), interval=interval_of)


def _numbers(of_runs: Sequence[Target], rows: Tensor, user: Tensor | None) -> list[Sample]:
    """Root of the mean squared error of a label that is a number."""
    errors = np.stack([(target.predicted[rows] - target.actual[rows]).square().numpy() for target in of_runs], 1)
    unit = _units(user, len(errors))
    mean, number = _quotients(errors, unit), int(unit.max()) + 1
    roots = {f"{of_runs[0].name}/rmse": lambda copies: np.sqrt(mean(copies)).tolist()}
    return drawn_again(roots, number, RESAMPLES, bearing=number, interval=lambda _: interval_of_ratio)


def _units(user: Tensor | None, rows: int) -> np.ndarray:
    """[N] number of the unit of each row: its user among those with such rows, or the row itself."""
    return np.arange(rows) if user is None else np.unique(user.numpy(), return_inverse=True)[1]


def _quotients(values: np.ndarray, unit: np.ndarray) -> Callable[[np.ndarray], list[float]]:
    """Mean of each run's column of values [N, R], where the rows of each unit count as often as it was drawn."""
    sums = np.stack([np.bincount(unit, column) for column in values.T])  # [R, U]
    rows = np.bincount(unit)

    def means(copies: np.ndarray) -> list[float]:
        number = max(1, int(copies @ rows))
        return [total / number for total in weighted_totals(sums, copies)]

    return means
