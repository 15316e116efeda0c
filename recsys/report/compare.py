"""Runs held against the first of them, on the users or rows of the test that all of them took. U users, R runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.errors import ConfigError, Fault, IntegrityError, listed
from recsys.metric.paired import Compared, Sample, compared
from recsys.report.comparable import differences, require_comparable
from recsys.report.run import reported_run
from recsys.run.directory import RunDirectory
from recsys.task.base import facet

STORE = "data.store"
"""Key of a config that changes no result."""


@dataclass(frozen=True)
class Measured:
    """What runs of one task can be compared in.

    Attributes:
        samples: one per metric.
        left_out: metrics that cannot be compared, each with the reason.
        units: "users" or "rows": what was drawn again.
        number: of units.
        less_is_better: names of the metrics of which less is better.
    """

    samples: list[Sample]
    left_out: list[str]
    units: str
    number: int
    less_is_better: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Comparison:
    """Runs beside the first of them.

    Attributes:
        task: of all runs.
        runs: their names, the first being what the others are held against.
        measured: what was compared, and what not.
        differences: one entry per metric and other run.
        configs: for each other run, {key: (of the first, of this)} where their configs differ.
        resamples: how often users or rows were drawn again.
    """

    task: str
    runs: tuple[str, ...]
    measured: Measured
    differences: tuple[Compared, ...]
    configs: tuple[dict[str, tuple[str, str]], ...]
    resamples: int

    def of_run(self, place: int) -> list[Compared]:
        """The differences of one run from the first."""
        return [one for one in self.differences if one.place == place]


def compare(paths: Sequence[Path]) -> Comparison:
    """Hold runs against the first.

    Raises:
        ConfigError: a run cannot be read, is named twice, or was not tested as the first one was, or no metric can be compared; the
            message names the difference.
        IntegrityError: a file of a run is damaged.
    """
    _require_once(paths)
    runs, names = [reported_run(path) for path in paths], _names(paths)
    require_comparable(runs)
    task = facet(runs[0].task, "report")
    measured = task.measured(runs, names)
    if not measured.samples:
        what = f"no metric can be compared: {listed(measured.left_out, 12)}"
        raise ConfigError(Fault(what, ", ".join(str(run.path) for run in runs), task.REMEDY))
    changed = [differences(runs[0].plain, run.plain) for run in runs[1:]]
    configs = tuple({key: values for key, values in each.items() if key != STORE} for each in changed)
    return Comparison(runs[0].task, names, measured, tuple(compared(measured.samples)), configs, task.RESAMPLES)


def require_same_rows(run: RunDirectory, file: str, same: bool, of: str) -> None:
    """An IntegrityError where a run's table has other rows than that of the first run, although both took the same test."""
    if not same:
        what = f"{file} has other {of} than that of the first run, of the same test"
        raise IntegrityError(Fault(what, str(run.path / file), "train again"))


def weighted_totals(columns: np.ndarray, copies: np.ndarray) -> list[float]:
    """Sum of each row of [R, U] values, each value counted so many times.

    One row after the other: added up together, equal rows would get sums that differ in their last digits.
    """
    weight = copies.astype(np.float64)
    return [float(weight @ column) for column in columns]


def _require_once(paths: Sequence[Path]) -> None:
    resolved = [path.resolve() for path in paths]
    twice = sorted({str(path) for path in resolved if resolved.count(path) > 1})
    if twice:
        raise ConfigError(*(Fault("a run is named more than once", path, "name every run once") for path in twice))


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Directory names where they tell runs apart, else paths."""
    names = [path.resolve().name for path in paths]
    return tuple(names if len(set(names)) == len(names) else map(str, paths))
