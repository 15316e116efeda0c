"""Runs held against the first of them, on the users or rows that all of them were asked about. U users, R runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from torch import Tensor

from recsys.disk.records import reading
from recsys.errors import ConfigError, Fault, IntegrityError, listed
from recsys.metric.binary import log_losses
from recsys.metric.funnel import Target
from recsys.metric.impressions import impressions
from recsys.metric.paired import Compared, Measure, Sample, compared, drawn_again
from recsys.report.comparable import differences, require_comparable
from recsys.report.predictions import FILE as PREDICTIONS
from recsys.report.predictions import tested_labels, tested_targets
from recsys.report.table import shown_columns
from recsys.run.files import RunFiles

RESAMPLES = {"retrieval": 2_000, "ranking": 400}
PER_USER = "per_user.parquet"
OF_USERS = ("recall", "ndcg", "hit_rate")
"""Headline metrics of a retrieval run that are means over users."""
STORE = "data.store"
"""Key of a config that changes no result."""
REMEDIES = {
    "retrieval": "train one of them again with the task.evaluation.ks of the other",
    "ranking": "compare runs whose test rows hold both classes of a label",
}
"""Where no metric can be compared."""


@dataclass(frozen=True)
class Measured:
    """What runs can be compared in.

    Attributes:
        samples: one per metric.
        left_out: what would have been compared, each with why it is not.
        units: "users" or "rows": what was drawn again.
        number: of units.
    """

    samples: list[Sample]
    left_out: list[str]
    units: str
    number: int


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        task: of all runs.
        runs: their names, the first being what the others are held against.
        units: "users" or "rows": what was drawn again.
        number: of units.
        found: one entry per metric and other run.
        configs: for each other run, {key: (of the first, of this)} where their configs differ.
        left_out: what would have been compared, each with why it is not.
    """

    task: str
    runs: tuple[str, ...]
    units: str
    number: int
    found: tuple[Compared, ...]
    configs: tuple[dict[str, tuple[str, str]], ...]
    left_out: tuple[str, ...]

    def found_by_run(self) -> list[Compared]:
        """What was found, all of one run together."""
        return sorted(self.found, key=lambda one: one.place)


def compare(paths: Sequence[Path]) -> Comparison:
    """Hold runs against the first.

    Raises:
        ConfigError: a run cannot be read, is named twice, or was not tested as the first one was, or no metric can be compared; the
            message names the difference.
        IntegrityError: a file of a run is damaged.
    """
    _require_once(paths)
    runs, names = [RunFiles.open(path) for path in paths], _names(paths)
    require_comparable(runs)
    task = runs[0].task
    measured = _retrieval(runs, names) if task == "retrieval" else _ranking(runs)
    if not measured.samples:
        what = f"no metric can be compared: {listed(measured.left_out, 12)}"
        raise ConfigError(Fault(what, ", ".join(str(run.path) for run in runs), REMEDIES[task]))
    changed = [differences(runs[0].config, run.config) for run in runs[1:]]
    configs = tuple({key: values for key, values in each.items() if key != STORE} for each in changed)
    found = tuple(compared(measured.samples))
    return Comparison(task, names, measured.units, measured.number, found, configs, tuple(measured.left_out))


def _require_once(paths: Sequence[Path]) -> None:
    resolved = [path.resolve() for path in paths]
    twice = sorted({str(path) for path in resolved if resolved.count(path) > 1})
    if twice:
        raise ConfigError(*(Fault("a run is named more than once", path, "name every run once") for path in twice))


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Directory names where they tell runs apart, else paths."""
    names = [path.resolve().name for path in paths]
    return tuple(names if len(set(names)) == len(names) else map(str, paths))


def _retrieval(runs: Sequence[RunFiles], names: Sequence[str]) -> Measured:
    columns, left_out = _shared(runs, names)
    keys = [f"test/{column}" for column in columns]
    user = runs[0].test["user"]
    tables = [_per_user(run, user, keys) for run in runs]
    for run, table in zip(runs, tables):
        _require_same(run, PER_USER, table[user].equals(tables[0][user]), "users")
    number = len(tables[0])
    measures = {column: _means(np.stack([table[key].to_numpy() for table in tables], 1)) for column, key in zip(columns, keys)}
    samples = drawn_again(measures, number, RESAMPLES["retrieval"], bearing=number)
    return Measured(samples, left_out, "users", number)


def _per_user(run: RunFiles, user: str, keys: Sequence[str]) -> pl.DataFrame:
    """Users, and what each got, finite."""
    table = run.table(PER_USER, [user, *keys])
    with reading(run.path / PER_USER):
        if table.is_empty():
            raise ValueError("it has no users")
        for key in keys:
            if not np.isfinite(table[key].to_numpy()).all():
                raise ValueError(f"column '{key}' holds what is no finite number")
    return table


def _require_same(run: RunFiles, file: str, same: bool, of: str) -> None:
    if not same:
        raise IntegrityError(
            Fault(f"{file} has other {of} than that of the first run, of the same test", str(run.path / file), "train again")
        )


def _shared(runs: Sequence[RunFiles], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Headline metrics that all runs have, at the cut-offs nearest to the usual ones; and those of a run alone, with whose they are."""
    columns = _headline({key: value for key, value in runs[0].metrics.items() if all(key in run.metrics for run in runs)})
    owners: dict[str, list[str]] = {}
    for run, name in zip(runs, names):
        for column in _headline(run.metrics):
            owners.setdefault(column, []).append(name)
    return columns, [f"{column} (measured by {', '.join(those)})" for column, those in owners.items() if column not in columns]


def _headline(metrics: Mapping[str, float]) -> list[str]:
    return [column for column in shown_columns(metrics) if column.partition("@")[0] in OF_USERS]


def _means(values: np.ndarray) -> Measure:
    """Of [U, R]."""
    columns = np.ascontiguousarray(values.T)
    return lambda copies: [total / len(values) for total in _totals(columns, copies)]


def _totals(columns: np.ndarray, copies: np.ndarray) -> list[float]:
    """Of [R, U], one after the other: added up together, equal columns would get sums that differ in their last digits."""
    weight = copies.astype(np.float64)
    return [float(weight @ column) for column in columns]


def _ranking(runs: Sequence[RunFiles]) -> Measured:
    read = [tested_targets(run) for run in runs]
    columns = (runs[0].test["user"], *(label.column for label in tested_labels(runs[0])))
    keys = [column for column in columns if column is not None]
    asked = [run.table(PREDICTIONS, keys) for run in runs]
    for run, rows in zip(runs, asked):
        _require_same(run, PREDICTIONS, rows.equals(asked[0]), "users or labels")
    user = read[0][1]
    samples: list[Sample] = []
    left_out = []
    for of_runs in zip(*(targets for targets, _ in read), strict=True):
        first = of_runs[0]
        kept = first.rows
        if first.actual[kept].unique().numel() < (2 if first.binary else 1):
            left_out.append(f"{first.name} (its test rows do not hold {'both classes' if first.binary else 'a number'})")
            continue
        samples += (_binary if first.binary else _numbers)(of_runs, kept, None if user is None else user[kept])
    number = len(read[0][0][0].rows) if user is None else len(user.unique())
    return Measured(samples, left_out, "rows" if user is None else "users", number)


def _binary(of_runs: Sequence[Target], rows: Tensor, user: Tensor | None) -> list[Sample]:
    """AUC and log loss of a label, of the rows that it concerns."""
    actual = of_runs[0].actual[rows]
    measured = [impressions(target.predicted[rows], actual, user=user, session=None, ks=[]) for target in of_runs]

    def aucs(copies: np.ndarray) -> list[float]:
        return [each.ordered.tally(copies[each.unit]).auc() for each in measured]

    losses = np.stack([log_losses(target.predicted[rows], actual) for target in of_runs], 1)
    name = of_runs[0].name
    measures = {f"{name}/auc": aucs, f"{name}/log_loss": _quotients(losses, _units(user, len(actual)))}
    return drawn_again(measures, measured[0].num_units, RESAMPLES["ranking"], bearing=measured[0].num_bearing())


def _numbers(of_runs: Sequence[Target], rows: Tensor, user: Tensor | None) -> list[Sample]:
    """Root of the mean squared error."""
    errors = np.stack([(target.predicted[rows] - target.actual[rows]).square().numpy() for target in of_runs], 1)
    unit = _units(user, len(errors))
    mean = _quotients(errors, unit)
    roots = lambda copies: np.sqrt(mean(copies)).tolist()  # noqa: E731
    number = int(unit.max()) + 1
    return drawn_again({f"{of_runs[0].name}/rmse": roots}, number, RESAMPLES["ranking"], bearing=number)


def _units(user: Tensor | None, rows: int) -> np.ndarray:
    """[N] number of the unit of each row: its user among those with such rows, or the row itself."""
    return np.arange(rows) if user is None else np.unique(user.numpy(), return_inverse=True)[1]


def _quotients(values: np.ndarray, unit: np.ndarray) -> Measure:
    """Means over rows [N, R], of rows whose units stand there so many times."""
    sums = np.stack([np.bincount(unit, column) for column in values.T])  # [R, U]
    rows = np.bincount(unit)

    def means(copies: np.ndarray) -> list[float]:
        number = max(1, int(copies @ rows))
        return [total / number for total in _totals(sums, copies)]

    return means
