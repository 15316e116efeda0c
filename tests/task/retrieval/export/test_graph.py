"""The search part of retriever.onnx, behind a tower that hands its input through."""

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from onnx import TensorProto, helper

from recsys.errors import IntegrityError
from recsys.export.graph import check
from recsys.task.retrieval.export.graph import export_retriever

# Scores for the user (1, 0) are the first coordinates: b and d tie at 3, then c 2, a 1. Row 0 is padding.
VECTORS = np.array([[0, 0], [1, 0], [3, 5], [2, 0], [3, -5]], dtype=np.float32)
USER = np.array([[1, 0]], dtype=np.float32)
IDS = ["a", "b", "c", "d"]


def identity_tower() -> onnx.ModelProto:
    user, vector = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("user", "vector"))
    return helper.make_model(helper.make_graph([helper.make_node("Identity", ["user"], ["vector"])], "tower", [user], [vector]))


def search(exclude: list[list[str]], k: int, users: np.ndarray = USER) -> tuple[list[list[str]], list[list[float]]]:
    graph = export_retriever(identity_tower(), VECTORS, pl.Series([None, *IDS]), "string")
    check("retriever.onnx", graph)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    width = max(map(len, exclude))
    excluded = np.array([row + [""] * (width - len(row)) for row in exclude], dtype=object).reshape(len(exclude), width)
    items, scores = session.run(["items", "scores"], {"user": users, "exclude": excluded, "k": np.array([k])})
    return items.tolist(), scores.tolist()


def test_best_items_come_first_and_ties_in_catalogue_order():
    assert search([[]], k=4) == ([["b", "d", "c", "a"]], [[3, 3, 2, 1]])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_k_cuts_the_list(k):
    assert search([[]], k=k)[0] == [["b", "d", "c", "a"][:k]]


def test_excluded_and_unknown_ids_are_never_answered():
    assert search([["b", "nothing", "c"]], k=2) == ([["d", "a"]], [[3, 1]])


def test_rows_exclude_for_themselves():
    users = np.array([[1, 0], [0, 1]], dtype=np.float32)
    assert search([["b"], []], k=1, users=users)[0] == [["d"], ["b"]]


def test_list_is_filled_with_missing_ids_where_fewer_items_are_left():
    items, scores = search([["a", "c", "d"]], k=6)
    assert items == [["b", "", "", "", "", ""]]
    assert scores == [[3, *[-np.inf] * 5]]


def test_scores_are_those_of_the_row_alone_in_every_batch_size():
    generator = np.random.default_rng(0)
    users = generator.standard_normal((64, 2)).astype(np.float32)
    whole = search([[]] * 64, k=4, users=users)
    alone = [search([[]], k=4, users=users[row : row + 1]) for row in range(3)]
    assert whole[0][:3] == [items[0] for items, _ in alone]
    assert whole[1][:3] == [scores[0] for _, scores in alone]


def test_integer_ids_pad_with_the_smallest_integer():
    graph = export_retriever(identity_tower(), VECTORS, pl.Series([None, 40, 30, 20, 10]), "int64")
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    feed = {"user": USER, "exclude": np.array([[30, -(2**63), 99]]), "k": np.array([5])}
    assert session.run(["items"], feed)[0].tolist() == [[10, 20, 40, -(2**63), -(2**63)]]


def test_half_precision_is_refused_with_the_node_named():
    graph = identity_tower()
    graph.graph.node.append(helper.make_node("Cast", ["vector"], ["half"], name="narrow", to=TensorProto.FLOAT16))
    with pytest.raises(IntegrityError, match=r"half-precision values in narrow\n.*user_tower\.onnx"):
        check("user_tower.onnx", graph)


def test_broken_graph_is_refused_with_the_file_named():
    graph = identity_tower()
    graph.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(IntegrityError, match=r"NoSuchOperator(.|\n)*user_tower\.onnx"):
        check("user_tower.onnx", graph)
    graph = identity_tower()
    graph.graph.node[0].input[0] = "nothing"
    with pytest.raises(IntegrityError, match=r"onnx\.checker refuses(.|\n)*user_tower\.onnx"):
        check("user_tower.onnx", graph)
