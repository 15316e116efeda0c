"""The bundle in production, and a new one beside it: both answer the same test users or rows.

Both are asked as production would be, with raw columns whose values are those of the source. Users are drawn again with replacement, the
same ones for both, so that a loss which fewer or other users would not have shown passes, and one that they would have shown does not.
"""

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from recsys.data.read.rows import items_before
from recsys.data.store.raw_categories import RawCategories
from recsys.errors import ConfigError, Fault, name_list
from recsys.export.gates import Gate
from recsys.export.golden import columns
from recsys.export.preprocessing import raw_array, raw_lists, raw_numbers
from recsys.export.section import Questions
from recsys.metric.paired import Compared, Sample, comparisons
from recsys.run.directory import RunDirectory
from recsys.schema import Entity, Feature, Schema
from recsys.serve import BundleError
from recsys.serve.manifest import read_bundle
from recsys.task.base import facet


@dataclass(frozen=True)
class Production:
    """The bundle in production, its files checked; `schema` is its schema.json."""

    folder: Path
    manifest: Mapping
    schema: Schema

    @staticmethod
    def open(folder: Path) -> "Production":
        """A ConfigError where it is no bundle, or a damaged one."""
        with production_errors(folder):
            manifest, files = read_bundle(folder, keep=("schema.json",))
        try:
            return Production(folder, manifest, Schema.of_document(json.loads(files["schema.json"])))
        except ValueError as error:
            raise ConfigError(Fault(str(error), f"against={folder}", "name a bundle that this version can read")) from error

    def lengths(self) -> dict[str, int]:
        """{history: entries that it reads}."""
        return {feature.column: feature.max_len for feature in self.schema.features if not feature.is_stored}

    def check_columns(self, schema: Schema, tasks: Sequence[str]) -> None:
        """A ConfigError where it reads columns that the test data lacks, or as something else: its answers would say nothing.

        Args:
            schema: of the test data.
            tasks: of this export; those that production has too are compared.
        """
        facets = [facet(task, "export") for task in tasks]
        requested: Iterator[Entity] = (entity for part in facets if part.GRAPH in self.manifest["files"] for entity in part.ASKED)
        entities: list[Entity] = list(dict.fromkeys(["user", *requested]))
        theirs, ours = (
            {feature.column: feature.request_words(each.statistics[feature.column]) for feature in each.of(*entities)}
            for each in (self.schema, schema)
        )
        absent = [column for column in theirs if column not in ours]
        faults = [f"it reads columns that this run's test data does not have: {name_list(absent)}"] if absent else []
        faults += [
            f"it reads '{column}' as {kind}, and this run's test data has {ours[column]}"
            for column, kind in theirs.items()
            if kind != ours.get(column, kind)
        ]
        if faults:
            remedy = "compare with a bundle of the same raw columns"
            raise ConfigError(*(Fault(f"production cannot be judged: {what}", f"against={self.folder}", remedy) for what in faults))


@contextmanager
def production_errors(folder: Path) -> Iterator[None]:
    """Turn what the bundle in production raises, as it is opened or asked, into a ConfigError."""
    try:
        yield
    except BundleError as error:
        raise ConfigError(Fault(str(error), f"against={folder}", "name a bundle that export.py has published")) from error
    except ValueError as error:  # a column of the same name that holds something else
        what, remedy = f"it cannot read this run's test data: {error}", "compare with a bundle of the same raw columns"
        raise ConfigError(Fault(what, f"against={folder}", remedy)) from error


def production_gates(new: Path, old: Production, schema: Schema, questions: Mapping[str, Questions]) -> list[Gate]:
    """A gate for each metric of both bundles, and one for each thing that the new one lacks.

    Both are asked with the values of the source (see `SourceValues`): what one knows and the other does not, such as a rare value or an
    older entry of a history, is to each what it would be in production.

    Args:
        schema: of the new bundle and of the questions.
        questions: {task of the new bundle: its test data}.
    Raises:
        ConfigError: the old one does not open, or cannot read the questions.
    """
    name = f"bundle {old.manifest['sha256'][:12]}"
    lacks: list[str] = []
    samples: list[Sample] = []
    for task in dict.fromkeys([*questions, *old.manifest["checkpoint"]]):
        graph = facet(task, "export").GRAPH
        if graph not in old.manifest["files"]:
            continue  # nothing to lose
        if task not in questions:
            lacks.append(f"{graph} is missing")
            continue
        of_task = questions[task].question_samples(new, old.folder, schema)
        lacks += of_task[0]
        samples += of_task[1]
    remedy = "export both tasks with the same labels: python export.py run=<run> ranker=<run of the other task>"
    missing = [Gate("production", False, f"all that {name} has", what, remedy) for what in lacks]
    return [*missing, *(gate(one, name) for one in comparisons(samples))]


def gate(one: Compared, production: str) -> Gate:
    """Passed unless the whole interval of the difference from the bundle of this name lies below zero, and of enough users to tell."""
    few = f"; {one.units} users or rows are too few to tell" if one.few else ""
    values = f"{one.metric} {_interval(one.new)} against {_interval(one.old)}: {_interval(one.difference, sign='+')}{few}"
    remedy = "find out what the new model lost; without against= it would be published nevertheless"
    return Gate("production", one.sign >= 0, f"no significant loss of {one.metric}, as served, against {production}", values, remedy)


def _interval(value: tuple[float, float, float], sign: str = "") -> str:
    if not math.isfinite(value[1]):  # of too few users, or of a share of 0 or 1
        return f"{value[0]:{sign}.4f}"
    return f"{value[0]:{sign}.4f} ({value[1]:{sign}.4f} to {value[2]:{sign}.4f})"


def request_columns(raw: Mapping[str, np.ndarray], schema: Schema, fields: Collection[str]) -> dict[str, list]:
    """The raw columns that a bundle reads, as a person would write them."""
    rows = columns(dict(raw), schema)
    return {column: rows[column].to_list() for column in fields}


def mean_difference(old: np.ndarray, new: np.ndarray) -> Callable[[np.ndarray], tuple[float, float]]:
    """Means of two values per user over users drawn again: copies of each user -> (old, new)."""
    return lambda copies: (float(copies @ old) / len(old), float(copies @ new) / len(new))


class SourceValues:
    """Raw columns as graphs take them: categories of the source (`RawCategories`), histories as long as the run or `lengths` asks."""

    def __init__(self, run: RunDirectory, lengths: Mapping[str, int]):
        self.store, self.schema, self.lengths = run.store, run.schema, lengths
        self.categories = RawCategories.read(run.path, run.store)

    def columns(
        self,
        kinds: Sequence[Feature],
        features: Mapping[str, Tensor],
        at: Mapping[str, Tensor],
        *,
        events: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, np.ndarray]:
        """{column: [B] or [B, L]}.

        Args:
            features: {column: [B, ...]} as the store has them; numbers, moments and vectors are raw there.
            at: {entity: [B] entity index; "context": row of the store}.
            events: where the events that a history may list begin and end, [B] each; None where no kind is a history.
        """
        raw = {}
        for kind in kinds:
            dtype = self.schema.statistics[kind.column].dtype
            if not kind.has_table:
                raw[kind.column] = raw_numbers(kind, features[kind.column].numpy(), self.schema)
            elif kind.is_stored:
                values = self.categories.values(kind.column, at[kind.entity].numpy())
                raw[kind.column] = raw_lists(values.to_list(), dtype) if kind.is_list else raw_array(values, dtype)
            else:
                assert events is not None
                items = items_before(self.store, events[0], events[1], max(kind.max_len, self.lengths.get(kind.column, 0)))
                raw[kind.column] = raw_array(self.categories.values(kind.table, items.flatten().numpy()), dtype).reshape(items.shape)
        return raw
