import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from recsys.task.ranking.export.graph import once_per_user

TABLE = np.array([[0, 0], [1, 2], [3, 4], [5, 6]], np.float32)
CONSTANTS = {
    "table": TABLE,
    "last": np.array([1], np.int64),
    "all": np.array([0], np.int64),
    "wide": np.zeros((1, 1, 1), np.int64),
}


def answer(nodes, outputs, users, rows):
    """The outputs for user lists [U, L] and one number for each row [B]; each row's user is named by `at`."""
    at = np.arange(len(rows)) % len(users)
    feed = {"users": np.array(users, np.int64), "rows": np.array(rows, np.float32), "at": at}
    kinds = {"users": TensorProto.INT64, "rows": TensorProto.FLOAT, "at": TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, kinds[name], [None] * value.ndim) for name, value in feed.items()]
    constants = [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    for end in ends:
        end.type.tensor_type.elem_type = TensorProto.FLOAT
    model = helper.make_model(helper.make_graph(nodes, "graph", inputs, ends, constants), opset_imports=[helper.make_opsetid("", 20)])
    return onnxruntime.InferenceSession(model.SerializeToString()).run(outputs, feed)


def moved(*nodes):
    constants = {name: numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()}
    return list(once_per_user(nodes, constants, {"lists": "users"}, "at"))


def node(kind, reads, makes, **attributes):
    return helper.make_node(kind, reads, [makes], name=makes, **attributes)


SUM = (node("Gather", ["table", "lists"], "found", axis=0), node("ReduceSum", ["found", "last"], "sum", keepdims=0))  # [B, L, D] -> [B, D]
MIXED = (node("Unsqueeze", ["rows", "last"], "column"), node("Mul", ["sum", "column"], "product"))


def test_what_reads_the_user_alone_runs_on_one_row_of_the_user():
    nodes = moved(*SUM, *MIXED)
    assert [(each.op_type, each.output[0]) for each in nodes] == [
        ("Gather", "found/user"),
        ("ReduceSum", "sum/user"),
        ("Unsqueeze", "column"),
        ("Gather", "sum"),  # to rows, where rows are needed
        ("Mul", "product"),
    ]
    # rows 1 and 3 of the table: (1 + 5, 2 + 6), times the number of each row
    (product,) = answer(nodes, ["product"], [[1, 3]], [1.0, 2.0, 0.5])
    assert product.tolist() == [[6, 8], [12, 16], [3, 4]]


def test_as_many_users_as_rows_have_a_row_each():
    (product,) = answer(moved(*SUM, *MIXED), ["product"], [[1, 3], [2, 0]], [1.0, 2.0])
    assert product.tolist() == [[6, 8], [6, 8]]  # (3, 4) times 2


def test_a_tensor_is_spread_once_for_all_that_read_it():
    nodes = moved(*SUM, *MIXED, node("Add", ["sum", "column"], "total"))
    assert [each.name for each in nodes].count("sum/spread") == 1
    assert answer(nodes, ["total"], [[1, 3]], [1.0, 2.0])[0].tolist() == [[7, 9], [8, 10]]


@pytest.mark.parametrize(
    "stays",
    [
        node("ReduceSum", ["lists", "all"], "end", keepdims=0),  # over the users
        node("Shape", ["lists"], "end"),  # counts them
        node("Add", ["lists", "wide"], "end"),  # moves them to another axis
        node("Unsqueeze", ["lists", "all"], "end"),
        node("Gather", ["lists", "all"], "end", axis=0),  # picks one of them
        node("ReduceSum", ["lists"], "end", keepdims=0),
    ],
    ids=lambda each: f"{each.op_type} {' '.join(each.input)}",
)
def test_what_mixes_rows_is_not_moved(stays):
    assert [each.output[0] for each in moved(stays)] == ["lists", "end"]


def test_what_reads_rows_is_not_moved():
    assert moved(node("Abs", ["rows"], "end")) == [node("Abs", ["rows"], "end")]
