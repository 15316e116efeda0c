"""Runs beside the first of them, on the users or rows of the test that all of them took. U users, R runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.config import flattened
from recsys.disk.records import reading
from recsys.errors import ConfigError, Fault, IntegrityError, count_text, name_list
from recsys.metric.paired import Compared, Sample, comparisons
from recsys.report.run import reported_run
from recsys.run.directory import DATA, RunDirectory
from recsys.task.base import facet

STORE = "data.store"
"""Key of a config that changes no result."""
OTHER_DATA = "train one of them again with the data options of the other, or compare runs of one test"
ABSENT = "nothing"


@dataclass(frozen=True)
class Measured:
    """Metrics in which runs of one task can be compared.

    Attributes:
        samples: one per metric.
        left_out: metrics that cannot be compared, each with the reason.
        units, number: "users" or "rows", which were drawn again, and how many there are.
        less_is_better: names of metrics.
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
        runs: their names.
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
    """Compare runs with the first.

    Raises:
        ConfigError: a run cannot be read, is named twice, or was not tested as the first one was, or no metric can be compared.
        IntegrityError: a file of a run is damaged.
    """
    resolved = [path.resolve() for path in paths]
    twice = sorted({str(path) for path in resolved if resolved.count(path) > 1})
    if twice:
        raise ConfigError(*(Fault("a run is named more than once", path, "name every run once") for path in twice))
    runs, directories = [reported_run(path) for path in paths], [path.name for path in resolved]
    names = tuple(directories if len(set(directories)) == len(directories) else map(str, paths))
    require_comparable(runs)
    task = facet(runs[0].task, "report")
    measured = task.measurements(runs, names)
    if not measured.samples:
        what = f"no metric can be compared: {name_list(measured.left_out, 12)}"
        raise ConfigError(Fault(what, ", ".join(str(run.path) for run in runs), task.REMEDY))
    changed = [differences(runs[0].plain, run.plain) for run in runs[1:]]
    configs = tuple({key: values for key, values in each.items() if key != STORE} for each in changed)
    return Comparison(runs[0].task, names, measured, tuple(comparisons(measured.samples)), configs, task.RESAMPLES)


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


def require_comparable(runs: Sequence[RunDirectory]) -> None:
    """A ConfigError that names what differs, for every run that was not tested as the first one was."""
    first = runs[0]
    faults = [Fault(what, f"{run.path} beside {first.path}", remedy) for run in runs[1:] for what, remedy in _reasons(first, run)]
    if faults:
        raise ConfigError(*faults)


def differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """{key of the config: what the first and the other have there}, where that is not the same."""
    one, two = dict(flattened(first)), dict(flattened(other))
    keys = dict.fromkeys([*one, *two])
    return {key: (str(one.get(key, ABSENT)), str(two.get(key, ABSENT))) for key in keys if one.get(key, ABSENT) != two.get(key, ABSENT)}


def _reasons(first: RunDirectory, run: RunDirectory) -> Iterator[tuple[str, str]]:
    """Why a run cannot be held against the first, and what to do."""
    if run.task != first.task:
        yield f"the runs have different tasks: {first.task} and {run.task}", f"compare runs of {first.task} alone"
        return
    one, two = first.test, run.test
    if one["sha256"] != two["sha256"] or one["rows"] != two["rows"]:
        yield f"the runs were tested on different data, which differ in {_of_data(first, run)}", OTHER_DATA
    elif one["items"] != two["items"]:
        yield f"the runs ranked different catalogues: {one['items']:,} and {count_text(two['items'], 'item')}", OTHER_DATA
    yield from ((what, "compare runs of the same labels") for what in facet(first.task, "report").incomparable(first, run))


def _of_data(first: RunDirectory, run: RunDirectory) -> str:
    """Config keys or files behind the difference."""
    keys = ("source", "split", "user", "item", "time", "labels", "positive", "bad_rows")
    one, two = ({key: each.plain["data"].get(key) for key in keys} for each in (first, run))
    origins = [f"data.{key}: {old} and {new}" for key, (old, new) in differences(one, two).items()]
    if not origins:
        old, new = _inputs(first), _inputs(run)
        origins = sorted({file or table for table, file in {*old, *new} if old.get((table, file)) != new.get((table, file))})
    return name_list(origins) if origins else "their rows"


def _inputs(run: RunDirectory) -> dict[tuple[str, str], str]:
    """{(table, file): sha256}."""
    with reading(run.path / DATA):
        return {(entry["table"], entry["file"]): entry["sha256"] for entry in run.data["inputs"]}
