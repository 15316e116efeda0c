"""A new bundle and the one in production, asked the same of the same test users or rows.

Both are asked as a server would ask them, with raw columns. Users are drawn again with replacement, the same ones for both, so that a
loss which fewer or other users would not have shown passes, and one that they would have shown does not.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from recsys.errors import ConfigError, Fault
from recsys.export.gates import Gate
from recsys.export.golden import columns
from recsys.export.production import Production, opening
from recsys.export.section import Questions
from recsys.metric.paired import Compared, Sample, compared
from recsys.schema import Schema
from recsys.task.base import facet

Part = TypeVar("Part")


def production_gates(new: Path, old: Production, schema: Schema, questions: Mapping[str, Questions]) -> list[Gate]:
    """What both bundles can do, compared; a gate that is not passed where the new one lacks something.

    Both are asked with the values of the source (see `recsys.export.source_values`): what one knows and the other does not, such as a
    rare value or an older entry of a history, is to each what it would be in production.

    Args:
        schema: of the new bundle and of the questions.
        questions: {task of the new bundle: its test data}.
    Raises:
        ConfigError: the other does not open, or cannot read the questions.
    """
    name = f"bundle {old.manifest['sha256'][:12]}"
    absent: list[str] = []
    samples: list[Sample] = []
    for task in dict.fromkeys([*questions, *old.manifest["checkpoint"]]):
        graph = facet(task, "export").GRAPH
        if graph not in old.manifest["files"]:
            continue  # nothing to lose
        if task not in questions:
            absent.append(f"{graph} is missing")
            continue
        lost, found = questions[task].compared(new, old.folder, schema)
        absent += lost
        samples += found
    return [*(_lost(name, what) for what in absent), *(gate(one, name) for one in compared(samples))]


def _lost(name: str, what: str) -> Gate:
    remedy = "export both tasks with the same labels: python export.py run=<run> ranker=<run of the other task>"
    return Gate("production", False, f"all that {name} has", what, remedy)


def gate(one: Compared, production: str) -> Gate:
    """Passed unless the whole interval of the difference from the bundle of this name lies below zero, and of enough users to tell."""
    few = f"; {one.units} users or rows are too few to tell" if one.few else ""
    found = f"{one.metric} {_range(one.new)} against {_range(one.old)}: {_range(one.difference, sign='+')}{few}"
    remedy = "find out what the new model lost; without against= it would be published nevertheless"
    limit = f"no significant loss of {one.metric}, as served, against {production}"
    return Gate("production", one.sign >= 0, limit, found, remedy)


def opened(part: Callable[[Path], Part], production: Path) -> Part:
    """The bundle in production, as a retriever or a ranker; a ConfigError where it is damaged."""
    with opening(production):
        return part(production)


def request_columns(raw: Mapping[str, np.ndarray], schema: Schema, fields: Collection[str]) -> dict[str, list]:
    """The raw columns that a bundle reads, as a person would write them."""
    rows = columns(dict(raw), schema)
    return {column: rows[column].to_list() for column in fields}


@contextmanager
def rejected(production: Path) -> Iterator[None]:
    """A ConfigError where a bundle rejects the questions."""
    try:
        yield
    except ValueError as error:  # a column of the same name that holds something else
        remedy = "compare with a bundle of the same raw columns"
        raise ConfigError(Fault(f"it cannot read this run's test data: {error}", f"against={production}", remedy)) from error


def mean_difference(old: np.ndarray, new: np.ndarray) -> Callable[[np.ndarray], tuple[float, float]]:
    """Means of two values per user over users drawn again: copies of each user -> (old, new)."""
    return lambda copies: (float(copies @ old) / len(old), float(copies @ new) / len(new))


def _range(value: tuple[float, float, float], sign: str = "") -> str:
    return f"{value[0]:{sign}.4f} ({value[1]:{sign}.4f} to {value[2]:{sign}.4f})"
