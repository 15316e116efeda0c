"""Raw values to indices, in the graph alone."""

from datetime import date

import mmh3
import numpy as np
import onnxruntime
import polars as pl
import pytest
from onnx import TensorProto, helper

from recsys.errors import IntegrityError
from recsys.export.graph import IR_VERSION, OPSETS
from recsys.export.preprocessing import Graph, read_features
from recsys.schema import Categorical, Feature, History, MultiCategorical, Schema, Statistics, Timestamp
from recsys.schema.vocabulary import Vocabulary

NONE = -(2**63)
ITEM = Categorical("item", "item")
BRAND = Categorical("brand", "item", buckets=100)
STATISTICS = {
    "name": Statistics("string", 4),
    "word": Statistics("string", 102),
    "code": Statistics("int64", 102),
    "item": Statistics("int64", 5),
    "brand": Statistics("string", 102),
    "tags": Statistics("string", 4),
    "joined": Statistics("int64"),
}
VOCABULARIES = {
    "name": pl.Series([None, None, "a", "b"]),
    "item": pl.Series([None, None, 7, 8, 9]),
    "tags": pl.Series([None, None, "red", "blue"]),
}


def index(
    feature: Feature, raw: list, vocabularies: dict[str, pl.Series] = VOCABULARIES, statistics: dict[str, Statistics] = STATISTICS
) -> list:
    """What the tower reads for raw values of one feature."""
    schema = Schema("user", "item", features=tuple(dict.fromkeys((ITEM, BRAND, feature)))).fitted(statistics)
    graph = Graph("raw/")
    read_features(graph, (feature,), schema, vocabularies, prefix="index/")
    output = helper.make_tensor_value_info(f"index/{feature.column}", TensorProto.INT64, None)
    proto = helper.make_graph(graph.nodes, "preprocessing", graph.inputs, [output], graph.constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    session = onnxruntime.InferenceSession(helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString())
    text = graph.inputs[0].type.tensor_type.elem_type == TensorProto.STRING
    return session.run(None, {feature.column: np.array(raw, dtype=object if text else np.int64)})[0].tolist()


def bucket(value: bytes) -> int:
    return 2 + mmh3.hash(value, 0, signed=False) % 100


def test_known_values_have_their_vocabulary_index_and_others_are_unknown():
    assert index(Categorical("name", "user"), ["b", "a", "c", ""]) == [3, 2, 1, 1]


def test_no_integer_is_out_of_range():
    assert index(Categorical("item", "item"), [8, -1, 0, NONE, 2**63 - 1]) == [3, 1, 1, 1, 1]


def test_hashed_strings_have_the_bucket_of_training():
    words = ["a", "Köln", "東京", "a\0b", "x" * 10_000]
    assert index(Categorical("word", "user", buckets=100), [*words, ""]) == [*(bucket(word.encode()) for word in words), 1]


def test_hashed_integers_have_the_bucket_of_training():
    numbers = [0, -1, 1, 2**63 - 1]
    want = [bucket(number.to_bytes(8, "little", signed=True)) for number in numbers]
    assert index(Categorical("code", "user", buckets=100), [*numbers, NONE]) == [*want, 1]


@pytest.mark.parametrize(
    ("unit", "raw"),
    [
        ("", [86_399, -1]),
        ("ms", [86_399_999, -1]),
        ("us", [86_399_999_999, -1]),
        ("ns", [86_399_999_999_999, -1]),
        ("YYYYMMDDHHMMSS", [19_700_101_235_959, 19_691_231_235_959]),
    ],
)
def test_moments_are_read_in_the_unit_of_training(unit, raw):
    statistics = {**STATISTICS, "joined": Statistics("int64", unit=unit)}
    assert index(Timestamp("joined", "user"), [*raw, NONE], statistics=statistics) == [86_399, -1, 0]


def test_dates_written_as_numbers_are_days_of_the_calendar():
    days = [date(1900, 3, 1), date(1969, 12, 31), date(1970, 1, 1), date(2000, 2, 29), date(2024, 12, 31), date(2099, 2, 28)]
    statistics = {**STATISTICS, "joined": Statistics("int64", unit="YYYYMMDD")}
    want = [(day - date(1970, 1, 1)).days * 86_400 for day in days]
    assert index(Timestamp("joined", "user"), [int(f"{day:%Y%m%d}") for day in days], statistics=statistics) == want


def test_list_is_cut_to_its_first_values_and_padded_with_zero():
    raw = [["blue", "green", "red"], ["red", "", ""], ["", "", ""]]
    assert index(MultiCategorical("tags", "user", max_len=2), raw) == [[3, 1], [2, 0], [0, 0]]


def test_history_is_cut_to_its_last_values_and_padded_with_zero():
    raw = [[7, 8, 9, 6], [9, 8, 7, NONE], [9, NONE, NONE, NONE], [NONE] * 4]
    assert index(History("history", "user", of="item", max_len=3), raw) == [[3, 4, 1], [4, 3, 2], [4, 0, 0], [0, 0, 0]]


def test_short_history_keeps_its_width():
    assert index(History("history", "user", of="item", max_len=3), [[9], [NONE]]) == [[4], [0]]


def test_missing_entry_inside_a_history_is_unknown_and_not_padding():
    assert index(History("history", "user", of="item", max_len=3), [[NONE, 7, NONE, 8]]) == [[2, 1, 3]]


def test_history_of_a_hashed_column_is_hashed_and_padded_with_zero():
    assert index(History("history", "user", of="brand", max_len=3), [["x", ""], ["", "y"]]) == [[bucket(b"x"), 0], [1, bucket(b"y")]]


def test_missing_moment_is_1970():
    assert index(Timestamp("joined", "user"), [-5, NONE]) == [-5, 0]


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (Categorical("name", "user"), ["a", "b", "c", None, "naïve"]),
        (Categorical("item", "item"), [7, 9, 10, None, -7]),
        (Categorical("word", "user", buckets=100), ["a", None, "naïve", "x" * 100, "\U0001f600"]),
        (Categorical("code", "user", buckets=100), [0, None, -1, 2**40]),
        (MultiCategorical("tags", "user", max_len=2), [["red"], ["blue", "green", "red"], [], None]),
        (Timestamp("joined", "user"), [-1, 0, None, 1_700_000_000]),
    ],
)
def test_graph_reads_raw_values_as_preparation_wrote_them(feature, values):
    vocabulary = Vocabulary(VOCABULARIES[feature.column], pl.Series([])) if feature.column in VOCABULARIES else None
    written = feature.encode(pl.Series(values), vocabulary=vocabulary, time_unit="s").tolist()
    gap = "" if STATISTICS[feature.column].dtype == "string" else NONE
    if isinstance(feature, MultiCategorical):
        width = max(len(entries or []) for entries in values)
        raw = [(entries or []) + [gap] * (width - len(entries or [])) for entries in values]
    else:
        raw = [gap if value is None else value for value in values]
    assert index(feature, raw) == written


@pytest.mark.parametrize(
    ("vocabularies", "fault"),
    [
        ({}, "there is no vocabulary"),
        ({"name": pl.Series([None, None, "a"])}, "the vocabulary has 3 entries, the model 4"),
        ({"name": pl.Series([None, None, "a", ""])}, "the vocabulary lists '', which stands for a missing value"),
    ],
)
def test_vocabulary_that_cannot_be_the_models_is_refused(vocabularies, fault):
    with pytest.raises(IntegrityError, match=rf"{fault}(.|\n)*column 'name'"):
        index(Categorical("name", "user"), ["a"], vocabularies)
