"""A small graph with one shared table, read by a string column and by a list of indices."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


def vectors(rows: int = 256, dim: int = 64) -> np.ndarray:
    """[rows, dim] float32, 64 KiB by default; row 0 is zero, and rows differ a thousandfold in size."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((rows, dim)) * 10 ** generator.uniform(-2, 1, (rows, 1))
    values[0] = 0
    return values.astype(np.float32)


@pytest.fixture
def table():
    return vectors()


@pytest.fixture
def model(table):
    """`city` [B] strings and `history` [B, L] indices -> `vector` [B, 64] and `listed` [B, L, 64]."""
    encoder = {"keys_strings": ["ü", "x", "y"], "values_int64s": [7, 8, 255], "default_int64": 0}
    nodes = [
        helper.make_node("LabelEncoder", ["city"], ["index"], name="encode", domain="ai.onnx.ml", **encoder),
        helper.make_node("Gather", ["table", "index"], ["vector"], name="first"),
        helper.make_node("Gather", ["table", "history"], ["listed"], name="second", axis=0),
    ]
    inputs = [
        helper.make_tensor_value_info("city", TensorProto.STRING, ["batch"]),
        helper.make_tensor_value_info("history", TensorProto.INT64, ["batch", "length"]),
    ]
    outputs = [
        helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", 64]),
        helper.make_tensor_value_info("listed", TensorProto.FLOAT, ["batch", "length", 64]),
    ]
    graph = helper.make_graph(nodes, "recsys", inputs, outputs, [numpy_helper.from_array(table, "table")])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="recsys")
    helper.set_model_props(made, {"schema_sha256": "abc"})
    onnx.checker.check_model(made, full_check=True)
    return made


@pytest.fixture
def requests():
    return {"city": np.array(["y", "nowhere", "ü"], dtype=object), "history": np.array([[1, 2], [0, 3], [254, 0]])}
