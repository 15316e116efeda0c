"""The bundle in production, as far as another one is compared with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import ConfigError, Fault, listed
from recsys.schema import Entity, Schema
from recsys.serve import BundleError
from recsys.serve.manifest import read_bundle
from recsys.task.base import facet


@dataclass(frozen=True)
class Production:
    """The bundle in production, its files checked.

    Attributes:
        schema: of its schema.json; columns are compared by their words in requests.
    """

    folder: Path
    manifest: Mapping
    schema: Schema

    @staticmethod
    def open(folder: Path) -> "Production":
        """A ConfigError where it is no bundle, or a damaged one."""
        with opening(folder):
            manifest, files = read_bundle(folder, keep=("schema.json",))
        try:
            return Production(folder, manifest, Schema.of_document(json.loads(files["schema.json"])))
        except ValueError as error:
            raise ConfigError(Fault(str(error), f"against={folder}", "name a bundle that this version can read")) from error

    def lengths(self) -> dict[str, int]:
        """{history: entries that it reads}."""
        return {feature.column: feature.max_len for feature in self.schema.features if not feature.is_stored}

    def check_columns(self, schema: Schema, tasks: Sequence[str]) -> None:
        """A ConfigError where it reads columns that the test data lacks, or as something else.

        With such columns the test data would not be requests as production sends them, and the answers would say nothing.

        Args:
            schema: of the test data.
            tasks: of this export; those that production has too are compared.
        """
        facets = [facet(task, "export") for task in tasks]
        requested: Iterator[Entity] = (entity for part in facets if part.GRAPH in self.manifest["files"] for entity in part.ASKED)
        entities: list[Entity] = list(dict.fromkeys(["user", *requested]))
        theirs, ours = _columns(self.schema, entities), _columns(schema, entities)
        absent = [column for column in theirs if column not in ours]
        faults = [f"it reads columns that this run's test data does not have: {listed(absent)}"] if absent else []
        faults += [
            f"it reads '{column}' as {kind}, and this run's test data has {ours[column]}"
            for column, kind in theirs.items()
            if kind != ours.get(column, kind)
        ]
        if faults:
            remedy = "compare with a bundle of the same raw columns"
            raise ConfigError(*(Fault(f"production cannot be judged: {what}", f"against={self.folder}", remedy) for what in faults))


def _columns(schema: Schema, entities: Sequence[Entity]) -> dict[str, str]:
    """{column: what a request gives for it, in words}."""
    return {feature.column: feature.request_words(schema.statistics[feature.column]) for feature in schema.of(*entities)}


@contextmanager
def opening(old: Path) -> Iterator[None]:
    """A ConfigError where it is no bundle, or damaged."""
    try:
        yield
    except BundleError as error:
        raise ConfigError(Fault(str(error), f"against={old}", "name a bundle that export.py has published")) from error
