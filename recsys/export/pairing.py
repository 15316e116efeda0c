"""A retrieval run and a ranking run that become one bundle."""

from collections.abc import Mapping

from recsys.config import flattened
from recsys.errors import ConfigError, Fault, listed
from recsys.run.directory import RunDirectory
from recsys.schema import differences
from recsys.task.base import facet


def check_pair(run: RunDirectory, ranker: RunDirectory) -> None:
    """A ConfigError where two runs do not fit into one bundle, with the task of each, or what of their data differs."""
    if (_place(run), _place(ranker)) != ("run", "ranker"):
        raise ConfigError(_wrong_tasks(run, ranker))
    if unequal := differences(run.schema, ranker.schema):
        what = f"a bundle has one schema, and the runs were trained on different data, which differ in {listed(unequal)}"
        raise ConfigError(Fault(what, f"{run.path} and {ranker.path}", _same_data(run, ranker)))


def joined_metrics(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> dict[str, float | None]:
    """The metrics of both; a ConfigError where one name stands for two values."""
    if unequal := [key for key in one if key in other and one[key] != other[key]]:
        what = f"both runs have metrics of these names, with other values: {listed(unequal)}"
        raise ConfigError(Fault(what, "metrics of run and ranker", "export each run alone, with run= and no ranker="))
    return {**one, **other}


def _place(run: RunDirectory) -> str:
    """Key of export.yaml that names a run of this task where two make one bundle."""
    return facet(run.task, "export").PLACE


def _wrong_tasks(run: RunDirectory, ranker: RunDirectory) -> Fault:
    what = f"'run' names a {run.task} run and 'ranker' a {ranker.task} run, "
    if (_place(run), _place(ranker)) == ("ranker", "run"):
        what += "the other way round than they make one bundle"
        remedy = f"exchange them: python export.py run={ranker.path} ranker={run.path}"
    else:
        what += f"and both belong under '{_place(run)}'"
        remedy = f"name a run of another task as {'ranker' if _place(run) == 'run' else 'run'}=, "
        remedy += f"or export one alone: python export.py run={run.path}"
    return Fault(what, f"run={run.path}, ranker={ranker.path}", remedy)


def _same_data(run: RunDirectory, ranker: RunDirectory) -> str:
    """What to type, or where to look if the settings are the same."""
    one, other = (dict(flattened(each.plain["data"], "data", lists=False)) for each in (run, ranker))
    unequal = [key for key in one if key in other and one[key] != other[key] and key != "data.store"]  # the folder changes nothing
    if not unequal:
        return "the settings are the same, so tables or code have changed in between: train both runs again"
    # lists are of columns, which are named already
    words = [key if isinstance(one[key], list) else f"{key} ({one[key]} and {other[key]})" for key in unequal]
    return f"train both with the same data=... and the same data settings; now they differ in {listed(words)}"
