"""Contributions of a task to an export. The facet `export` of a task's folder (see `recsys.task.base.facet`) has:

GRAPH: the file that answers, such as `ranker.onnx`.
PLACE: key of export.yaml that names its run where two make one bundle: "run" or "ranker".
COLUMNS, ASKED: entities whose columns its models read, and those that a request brings.
PARITY: key of the manifest under which its comparison with the model stands.
SEARCHES: whether it finds items of a catalogue, so that an index can serve it.
section_of(run, model, about, k) -> Section: of a finished run and its model, as from `RunDirectory.model`; k is the length of lists.
questions_of(run, lengths) -> Questions: of its test data; lengths are {history: entries that the bundle in production reads}.
parity_words(figures) -> (limit, found), of what stands under PARITY.
card_lines(manifest, schema, model), card_limits(manifest, schema): lines of card.md about it; `model` is the name of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from recsys.export.index.base import SearchIndex
from recsys.metric.paired import Sample
from recsys.schema import Schema


class Section(Protocol):
    """The files that the model of one task becomes in a bundle."""

    task: str

    def write(self, folder: Path, schema: Schema, vocabularies: Mapping[str, pl.Series], facts: Mapping[str, str]) -> dict:
        """Write the files, compare them with the model, and return what the manifest says of them.

        Args:
            folder: of the bundle.
            schema: fitted, with the statistics of the model's store.
            vocabularies: {column: raw values by vocabulary index}.
            facts: hashes for the metadata of every graph.
        Raises:
            ReleaseError: a graph does not answer like the model.
            DataError: the data cannot be served.
        """

    def golden(self, folder: Path, schema: Schema, vocabularies: Mapping[str, pl.Series]) -> pl.DataFrame:
        """Requests and what the files in `folder` answer, as rows of golden.parquet."""


@dataclass(frozen=True)
class Narrowed:
    """Changes of one task's answers by narrow weights.

    Attributes:
        before, after: {metric: value} in float32 and narrow: `recall@<k>`, `<label>/ece`, `<number>/rmse`, and `<label>/auc` where both
            labels occur.
        p50_ratio: {graph: time of a single request, over that in float32}.
        same_items: {`same_items@<k>`: share of the items of a float32 list that the narrow list holds too}.
        vectors: {tower: largest distance of its vectors from those in float32, as a share of the length of these}.
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    p50_ratio: Mapping[str, float]
    same_items: Mapping[str, float] = field(default_factory=dict)
    vectors: Mapping[str, float] = field(default_factory=dict)


class Questions(Protocol):
    """Test data of one task as a server is asked about it."""

    def narrowed(self, before: Path, after: Path, manifest: Mapping, schema: Schema) -> Narrowed:
        """Compare the graphs of two folders, in float32 and narrow; `manifest` is that of the bundle so far."""

    def question_samples(self, new: Path, old: Path, schema: Schema) -> tuple[list[str], list[Sample]]:
        """Sentences on what the new bundle lacks, and metrics of both; a ConfigError where the old one cannot read the questions."""

    def approximate(self, folder: Path, index: SearchIndex, manifest: Mapping) -> dict:
        """Build the index of a bundle and measure it; returns manifest["index"]. Of tasks that search alone."""
