"""A bundle written by hand: the user vector is the history, counted by item; a click is as likely as the price says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from recsys.disk import file_sha256
from recsys.export.preprocessing import Graph, read_features
from recsys.export.publish import publishing, write_manifest
from recsys.schema import Categorical, History, MultiCategorical, Numeric, Schema, Statistics, Timestamp, Vector
from recsys.task.retrieval.export.graph import export_retriever

SCHEMA = Schema(
    "user_id",
    "item_id",
    features=(
        History("history", "user", of="item_id", max_len=3),
        Categorical("number", "user", buckets=4),  # no answer depends on this one and the next four
        Categorical("vip", "user", buckets=4),
        MultiCategorical("tags", "user", max_len=2, buckets=4),
        Vector("taste", "user"),
        Timestamp("joined", "user"),
        Categorical("item_id", "item"),
        Numeric("price", "item"),
        Categorical("device", "context"),
    ),
).fitted(
    {
        "number": Statistics("int64", 6),
        "vip": Statistics("bool", 6),
        "tags": Statistics("string", 6),
        "taste": Statistics("float32", 2),
        "joined": Statistics("int64"),
        "item_id": Statistics("string", 5),
        "price": Statistics("float32"),
        "device": Statistics("string", 3),
    }
)
IDS = ["a", "b", "c"]
OPSETS = [helper.make_opsetid("", 20)]


def user_tower() -> ModelProto:
    """How often the last three entries of the history list each item: unknown, a, b, c behind padding."""
    graph = Graph("raw/")
    read_features(graph, SCHEMA.of("user"), SCHEMA, {"item_id": pl.Series([None, None, *IDS])}, prefix="index/")
    graph.constants.append(numpy_helper.from_array(np.eye(5, dtype=np.float32), "unit"))
    graph.constants.append(numpy_helper.from_array(np.array([1]), "axis"))
    graph.add("ReduceSum", graph.add("Gather", "unit", "index/history"), "axis", keepdims=0, output="vector")
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", 5])
    opsets = [*OPSETS, helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(
        helper.make_graph(graph.nodes, "tower", graph.inputs, [vector], graph.constants), opset_imports=opsets, ir_version=10
    )


def ranker() -> ModelProto:
    """click = price / 10 + .5 on device "app"; buy = 1 - click. A missing price is 0."""
    graph = Graph("rank/")
    graph.input("history", TensorProto.STRING, ["users", "entries"])
    graph.input("tags", TensorProto.STRING, ["users", "tags"])
    graph.input("taste", TensorProto.FLOAT, ["users", 2])
    for column in ("number", "vip", "joined"):
        graph.input(column, TensorProto.INT64, ["users"])
    graph.input("item_id", TensorProto.STRING, ["batch"])
    graph.input("price", TensorProto.FLOAT, ["batch"])
    graph.input("device", TensorProto.STRING, ["batch"])
    zero, tenth, half, one = (graph.constant(np.array(value, np.float32)) for value in (0, 0.1, 0.5, 1))
    price = graph.add("Where", graph.add("IsNaN", "price"), zero, "price")
    app = graph.add("Cast", graph.add("Equal", "device", graph.constant(np.array("app", object))), to=TensorProto.FLOAT)
    graph.add("Add", graph.add("Mul", price, tenth), graph.add("Mul", app, half), output="click")
    graph.add("Sub", one, "click", output="buy")
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in ("click", "buy")]
    return helper.make_model(
        helper.make_graph(graph.nodes, "ranker", graph.inputs, outputs, graph.constants), opset_imports=OPSETS, ir_version=10
    )


def write(folder: Path, names: tuple[str, ...], change: Callable[[Path], None] = lambda partial: None, **facts: object) -> Path:
    """A bundle of these graphs; `change` alters its files before the manifest is written."""
    vectors = np.eye(5, dtype=np.float32)[[0, 2, 3, 4]]
    with publishing(folder) as partial:
        SCHEMA.save(partial / "schema.json")
        for name in names:
            graph = {
                "user_tower.onnx": user_tower,
                "ranker.onnx": ranker,
                "retriever.onnx": lambda: export_retriever(user_tower(), vectors, pl.Series([None, *IDS]), "string"),
            }[name]()
            helper.set_model_props(graph, {"schema_sha256": file_sha256(partial / "schema.json")})
            onnx.save(graph, partial / name)
        change(partial)
        about = {"items": {"column": "item_id", "dtype": "string", "count": 3}, "labels": ["click", "buy"]}
        write_manifest(partial, {**about, **facts})
    return folder


@pytest.fixture(scope="session")
def written() -> Callable[..., Path]:
    """`write`, for tests that want a bundle of their own."""
    return write


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Retriever, user tower and ranker."""
    return write(tmp_path_factory.mktemp("serve") / "bundle", ("retriever.onnx", "user_tower.onnx", "ranker.onnx"))
