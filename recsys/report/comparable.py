"""Whether runs took the same test, and if not, how their tests differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys.config import flattened
from recsys.disk.records import reading
from recsys.errors import ConfigError, Fault, listed
from recsys.run.directory import DATA, RunDirectory
from recsys.task.base import facet

REMEDY = "train one of them again with the data options of the other, or compare runs of one test"
ABSENT = "nothing"


def require_comparable(runs: Sequence[RunDirectory]) -> None:
    """A ConfigError that names what differs, for every run that was not tested as the first one was."""
    first = runs[0]
    faults = [Fault(what, f"{run.path} beside {first.path}", REMEDY) for run in runs[1:] for what in _reasons(first, run)]
    if faults:
        raise ConfigError(*faults)


def differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """{key of the config: what the first and the other have there}, where that is not the same."""
    one, two = dict(flattened(first)), dict(flattened(other))
    keys = dict.fromkeys([*one, *two])
    return {key: (str(one.get(key, ABSENT)), str(two.get(key, ABSENT))) for key in keys if one.get(key, ABSENT) != two.get(key, ABSENT)}


def _reasons(first: RunDirectory, run: RunDirectory) -> Iterator[str]:
    """Why a run cannot be held against the first."""
    if run.task != first.task:
        yield f"the runs have different tasks: {first.task} and {run.task}"
        return
    one, two = first.test, run.test
    if one["sha256"] != two["sha256"] or one["rows"] != two["rows"]:
        yield f"the runs were tested on different data, which differ in {_of_data(first, run)}"
    elif one["items"] != two["items"]:
        yield f"the runs ranked different catalogues: {one['items']:,} and {two['items']:,} items"
    yield from facet(first.task, "report").incomparable(first, run)


def _of_data(first: RunDirectory, run: RunDirectory) -> str:
    """The config keys or files behind it."""
    keys = ("source", "split", "user", "item", "time", "labels", "positive", "bad_rows")
    one, two = ({key: each.plain["data"].get(key) for key in keys} for each in (first, run))
    origins = [f"data.{key}: {old} and {new}" for key, (old, new) in differences(one, two).items()]
    if not origins:
        old, new = _inputs(first), _inputs(run)
        origins = sorted({file or table for table, file in {*old, *new} if old.get((table, file)) != new.get((table, file))})
    return listed(origins) if origins else "their rows"


def _inputs(run: RunDirectory) -> dict[tuple[str, str], str]:
    """{(table, file): sha256}."""
    with reading(run.path / DATA):
        return {(entry["table"], entry["file"]): entry["sha256"] for entry in run.data["inputs"]}
