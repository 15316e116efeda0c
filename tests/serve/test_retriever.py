"""Requests as people send them, answered from a bundle whose user vector is the history, counted by item."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from recsys.export.graph import describe, export_retriever
from recsys.export.preprocessing import Graph, read_features
from recsys.export.publish import file_sha256, publishing, write_manifest
from recsys.schema import Categorical, History, Schema, Statistics
from recsys.serve import BundleError, Retriever

SCHEMA = Schema(
    "user_id", "item_id", features=(History("history", "user", of="item_id", max_len=3), Categorical("item_id", "item"))
).fitted({"item_id": Statistics("string", 5)})
IDS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Item i has the i-th unit vector: an item's score is how often the (last three entries of the) history lists it."""
    graph = Graph("raw/")
    vocabulary = pl.Series([None, None, *IDS])
    read_features(graph, SCHEMA.of("user"), SCHEMA, {"item_id": vocabulary}, prefix="index/")
    graph.constants.append(numpy_helper.from_array(np.eye(5, dtype=np.float32), "unit"))  # rows: padding, unknown, a, b, c
    graph.constants.append(numpy_helper.from_array(np.array([1]), "axis"))
    graph.add("ReduceSum", graph.add("Gather", "unit", "index/history"), "axis", keepdims=0, output="vector")
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", 5])
    tower = helper.make_model(helper.make_graph(graph.nodes, "tower", graph.inputs, [vector], graph.constants))
    vectors = np.eye(5, dtype=np.float32)[[0, 2, 3, 4]]
    folder = tmp_path_factory.mktemp("serve") / "bundle"
    with publishing(folder) as partial:
        SCHEMA.save(partial / "schema.json")
        graph = export_retriever(tower, vectors, pl.Series([None, *IDS]), "string")
        describe(graph, schema_sha256=file_sha256(partial / "schema.json"))
        onnx.save(graph, partial / "retriever.onnx")
        write_manifest(partial, {"items": {"column": "item_id", "dtype": "string", "count": 3}})
    return folder


def test_answers_are_the_best_items_with_their_scores(bundle):
    (answer,) = Retriever(bundle).recommend([{"history": ["c", "a", "c"]}], k=2)
    assert answer.items == ["c", "a"]
    assert answer.scores == [2.0, 1.0]


def test_columns_are_answered_like_rows(bundle):
    retriever = Retriever(bundle)
    lists = [["b"], [], np.array(["c"], dtype=object), None]
    assert retriever.recommend({"history": lists}) == retriever.recommend([{"history": entries} for entries in lists])


@pytest.mark.parametrize("row", [{}, {"history": None}, {"history": []}, {"history": ["never seen"]}])
def test_missing_empty_and_unknown_history_answer_in_catalogue_order(bundle, row):
    assert Retriever(bundle).recommend([row])[0].items == IDS


def test_most_recent_entries_of_a_long_history_count(bundle):
    (answer,) = Retriever(bundle).recommend([{"history": ["a", "a", "a", "a", "b", "b", "c"]}])
    assert answer == (["b", "c", "a"], [2.0, 1.0, 0.0])


def test_excluded_items_are_left_out_per_row(bundle):
    answers = Retriever(bundle).recommend([{"history": ["a"]}] * 3, k=3, exclude=[["a"], None, ["a", "b", "c", "never seen"]])
    assert [answer.items for answer in answers] == [["b", "c"], ["a", "b", "c"], []]


def test_k_above_the_catalogue_answers_the_whole_catalogue(bundle):
    assert Retriever(bundle).recommend([{}], k=10**9)[0].items == IDS


def test_no_rows_have_no_answers(bundle):
    assert Retriever(bundle).recommend([]) == []


def test_rows_beyond_one_pass_keep_their_order(bundle):
    answers = Retriever(bundle).recommend([{"history": [IDS[row % 3]]} for row in range(200)], k=1)
    assert [answer.items for answer in answers] == [[IDS[row % 3]] for row in range(200)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"history": "abc"}], r"row 0, 'history': got 'abc' \(str\); want a list"),
        ([{}, {"history": ["a", 7]}], r"row 1, 'history': got 7 \(int\); want a string"),
        ([{"history": ["\ud800"]}], "want a string that UTF-8 can hold"),
        ([{"hystory": ["a"]}], "row 0: got a field 'hystory'.*did you mean 'history'"),
        (["a"], r"row 0: got 'a' \(str\); want a dict"),
        ({"history": "abc"}, r"rows, 'history': got 'abc' \(str\); want a list"),
    ],
)
def test_wrong_request_is_refused_with_row_field_got_and_want(bundle, rows, message):
    with pytest.raises(ValueError, match=message):
        Retriever(bundle).recommend(rows)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", None])
def test_k_that_is_no_positive_integer_is_refused(bundle, k):
    with pytest.raises(ValueError, match="'k': got"):
        Retriever(bundle).recommend([{}], k=k)


def test_exclude_of_another_length_is_refused(bundle):
    with pytest.raises(ValueError, match="got 1 lists for 2 rows"):
        Retriever(bundle).recommend([{}, {}], exclude=[["a"]])


def test_exclude_of_another_type_is_refused(bundle):
    with pytest.raises(ValueError, match=r"row 0, 'exclude': got 3 \(int\); want a string"):
        Retriever(bundle).recommend([{}], exclude=[[3]])


def test_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"holds no manifest\.json"):
        Retriever(tmp_path)


def test_bundle_without_a_retriever_is_refused(tmp_path):
    with publishing(tmp_path / "bundle") as partial:
        (partial / "schema.json").write_text(json.dumps({}))
        write_manifest(partial, {})
    with pytest.raises(BundleError, match=r"holds no retriever\.onnx"):
        Retriever(tmp_path / "bundle")


def test_serving_imports_neither_torch_nor_data_frames(bundle):
    code = (
        "import sys; from recsys.serve import Retriever\n"
        f"assert Retriever({str(bundle)!r}).recommend([{{}}])[0].items == ['a', 'b', 'c']\n"
        "heavy = ('torch', 'polars', 'pandas', 'pyarrow', 'onnx', 'recsys.schema', 'recsys.errors')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
