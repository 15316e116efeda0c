"""Every kind of feature passes all doors: its own methods, the network, the graph, the request, teachers and tables.

A kind that one of them forgot fails here, and so does a kind without a sample.
"""

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
import torch
from onnx import TensorProto

from recsys.export.graph import traced_model
from recsys.export.preprocessing import Graph, read_features
from recsys.nn.encoder import ByColumn, Encoder, embedding_tables
from recsys.schema import Categorical, Feature, Schema, Statistics, kind, misread
from recsys.schema.kind import KINDS
from recsys.serve.fields import request_fields

ITEM = Categorical("item_id", "item")
WORDS = pl.Series([None, None, "a", "b"])


@dataclass(frozen=True)
class Sample:
    """A feature, raw values of its column in three rows, and what training knows of it."""

    feature: Feature
    raw: list
    statistics: Statistics

    @property
    def schema(self) -> Schema:
        features = (ITEM, replace(self.feature, column="column"))
        return Schema("user", "item_id", features=features).fitted({"item_id": Statistics("string", size=4), "column": self.statistics})


WORD, NUMBER = Statistics("string", size=4), Statistics("float32", mean=2.0)
SAMPLES = {
    "Categorical": Sample(KINDS["Categorical"]("column", "user"), ["a", "b", None], WORD),
    "Numeric": Sample(KINDS["Numeric"]("column", "user", fill=0.0), [1.5, 3.0, None], NUMBER),
    "MultiCategorical": Sample(KINDS["MultiCategorical"]("column", "user", max_len=4), [["a"], ["a", "b"], []], WORD),
    "History": Sample(KINDS["History"]("column", "user", of="item_id", max_len=4), [["a"], ["a", "b"], []], WORD),
    "Vector": Sample(KINDS["Vector"]("column", "user"), [[1.0, 2.0], [0.5, 1.0], [0.0, 1.0]], Statistics("float32", size=2)),
    "Timestamp": Sample(KINDS["Timestamp"]("column", "user"), [0, 90_000, 7], Statistics("int64")),
}


def example(sample: Sample) -> np.ndarray:
    return sample.feature.example(sample.statistics, 3)


def tables(sample: Sample) -> ByColumn:
    return embedding_tables(sample.schema, sample.schema.features, 4, sparse_from=9)


def network(sample: Sample) -> torch.Size:
    """Shape of what the encoder makes of three rows."""
    features = sample.schema.features[1:]
    encoder = Encoder(sample.schema, features, tables=tables(sample))
    encoded = encoder({"column": torch.from_numpy(example(sample))})
    assert encoded.shape == (3, encoder.out_dim)
    return encoded.shape


def graph(sample: Sample) -> TensorProto:
    """The raw input of a served graph."""
    built = Graph("raw/")
    read_features(built, sample.schema.features[1:], sample.schema, {"item_id": WORDS, "column": WORDS}, prefix="x/")
    (raw,) = built.inputs
    assert raw.name == "column"
    assert built.nodes[-1].output == ["x/column"]
    return raw


def request(sample: Sample) -> np.ndarray:
    """Array that a server makes of raw values."""
    bad = []
    array = request_fields(sample.schema.document(), "user")["column"].array(sample.raw, bad)
    assert bad == []
    return array


DOORS = (network, graph, request)


@pytest.fixture(params=KINDS)
def sample(request) -> Sample:
    assert request.param in SAMPLES, f"the kind {request.param} has no sample here"
    return SAMPLES[request.param]


def test_every_file_of_the_folder_is_a_kind_that_schemas_know():
    files = {path.stem for path in Path(kind.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == {inspect.getfile(kind).rpartition("/")[2].removesuffix(".py") for kind in KINDS.values()}


def test_what_a_server_makes_of_raw_values_is_what_the_graph_takes_and_the_network_reads(sample):
    raw, values = graph(sample), request(sample)
    assert network(sample)[0] == 3
    element = {TensorProto.STRING: np.object_, TensorProto.INT64: np.int64, TensorProto.FLOAT: np.float32}
    assert values.dtype.type is element[raw.type.tensor_type.elem_type]
    assert values.ndim == len(raw.type.tensor_type.shape.dim) == example(sample).ndim
    dims = [(dim.dim_value, size) for dim, size in zip(raw.type.tensor_type.shape.dim, values.shape) if dim.dim_value]
    assert all(fixed == size for fixed, size in dims)


def test_a_network_is_traced_from_the_example_of_a_kind(sample):
    features = sample.schema.features[1:]
    encoder = Encoder(sample.schema, features, tables=tables(sample)).eval()
    traced = traced_model(encoder, encoder.forward, features, sample.schema, outputs=("encoded",))
    assert [given.name for given in traced.graph.input] == ["column"]


def test_a_kind_fits_and_encodes_its_raw_column(sample):
    feature, values = sample.feature, pl.Series("column", sample.raw)
    assert (feature.rule("s") is None) == (not feature.is_stored)
    if feature.is_stored:
        assert feature.rule("s").type_remedy(values.dtype) is None
        statistics, vocabulary = feature.fit(values, None)
        assert (vocabulary is None) == (not feature.keeps_vocabulary)
        array = feature.encode(values, vocabulary=vocabulary, time_unit="s")
        assert array.shape[0] == 3
        assert array.ndim == example(sample).ndim
        assert (array.dtype.kind == "f") == (example(sample).dtype.kind == "f")
        assert statistics.dtype == sample.statistics.dtype


def test_a_kind_says_what_it_is_in_words(sample):
    vocabulary = WORDS if sample.feature.has_table else None
    words = sample.feature.raw_words(example(sample).tolist(), vocabulary)
    assert words is None or len(words) == 3
    assert all(sample.feature.card_words(sample.statistics))
    assert type(sample.feature).__name__ in sample.feature.request_words(sample.statistics)


def test_a_teacher_of_another_vocabulary_or_width_is_refused(sample):
    schema = sample.schema
    assert misread(schema, schema) == {}
    if sample.statistics.size:
        wider = schema.fitted(schema.statistics | {"column": replace(sample.statistics, size=sample.statistics.size + 1)})
        assert list(misread(schema, wider)) == ["column"]
    if sample.feature.has_table:
        other = schema.fitted(schema.statistics | {"column": replace(sample.statistics, vocabulary_sha256="f00")})
        assert misread(schema, other) == {"column": "another vocabulary"}


def test_a_teacher_of_other_lists_is_refused(sample):
    if sample.feature.is_list:
        features = (ITEM, replace(sample.schema.features[1], max_len=3))
        assert misread(sample.schema, replace(sample.schema, features=features)) == {"column": "another max_len"}


def test_a_table_has_columns_of_every_kind(sample):
    values = {"column": example(sample), "item_id": np.zeros(3, np.int64)}
    columns = sample.feature.table_columns(values, sample.statistics)
    assert columns.shape[0] == 3
    assert columns.shape[1] > 0
    assert columns.dtype == (np.int64 if sample.feature.is_category else np.float32)


def test_what_may_tell_a_label_has_a_code_for_each_row(sample):
    values = example(sample) if sample.feature.is_stored else np.zeros(3, np.int64)
    readings = sample.feature.readings(values)
    assert all(len(reading.codes) == 3 for reading in readings)
    assert bool(readings) == (sample.feature.has_table or values.ndim == 1)


@dataclass(frozen=True)
class Toy(Feature):
    """A kind that knows all of itself, and that no door knows."""

    type_remedy: ClassVar = KINDS["Numeric"].type_remedy
    checks: ClassVar = KINDS["Numeric"].checks
    fit: ClassVar = KINDS["Numeric"].fit
    encode: ClassVar = KINDS["Numeric"].encode
    raw_words: ClassVar = KINDS["Numeric"].raw_words
    table_columns: ClassVar = KINDS["Numeric"].table_columns
    readings: ClassVar = KINDS["Numeric"].readings
    content: ClassVar = KINDS["Numeric"].content
    card_words: ClassVar = KINDS["Numeric"].card_words
    example: ClassVar = KINDS["Numeric"].example


@pytest.mark.parametrize("door", DOORS)
def test_a_door_that_forgot_a_kind_names_it(door):
    with pytest.raises((AssertionError, ValueError), match="Toy"):
        door(Sample(Toy("column", "user"), [1.0, 2.0, 3.0], NUMBER))


@pytest.mark.parametrize("name", sorted(Feature.__abstractmethods__))
def test_a_kind_that_forgot_a_method_cannot_be_made(name):
    forgetful = type("Forgetful", (Toy,), {name: getattr(Feature, name)})
    with pytest.raises(TypeError, match=name):
        forgetful("column", "user")


def test_a_schema_of_a_later_version_is_refused_by_the_name_of_its_kind():
    document = SAMPLES["Numeric"].schema.document()
    document["features"][1]["kind"] = "Toy"
    with pytest.raises(ValueError, match="'column' is a Toy"):
        Schema.of_document(document)
