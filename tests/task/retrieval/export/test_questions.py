"""What narrow weights change in a retriever, on graphs whose answers are given by the request."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from recsys.task.retrieval.export.questions import narrowed
from tests.task.small_graphs import save

NOTHING_EXCLUDED = {"exclude": np.empty((3, 0), np.int64)}


@pytest.fixture(autouse=True)
def few_requests(monkeypatch):
    monkeypatch.setattr("recsys.export.requests.REQUESTS", 4)
    monkeypatch.setattr("recsys.export.requests.WARM_UP", 0)


def retriever(path, scores):
    """Items 10, 20, 30, 40 by one row of scores for all users, `weight` [B, 1] times; `exclude` is read by nobody. A tower beside it."""
    tower(path.with_name("user_tower.onnx"), 1)
    nodes = [
        helper.make_node("Mul", ["weight", "table"], ["all"]),
        helper.make_node("TopK", ["all", "k"], ["scores", "at"]),
        helper.make_node("Gather", ["ids", "at"], ["items"]),
    ]
    constants = {"table": np.array([scores], np.float32), "ids": np.array([10, 20, 30, 40])}
    inputs = {"weight": (TensorProto.FLOAT, ["batch", 1]), "exclude": (TensorProto.INT64, ["batch", "excluded"])}
    inputs["k"] = (TensorProto.INT64, [1])
    outputs = {"items": (TensorProto.INT64, ["batch", "answers"]), "scores": (TensorProto.FLOAT, ["batch", "answers"])}
    save(path, nodes, constants, inputs, outputs)


def tower(path, factor):
    """vector = (factor, 1) * weight [B, 1]."""
    inputs, outputs = {"weight": (TensorProto.FLOAT, ["batch", 1])}, {"vector": (TensorProto.FLOAT, ["batch", 2])}
    save(path, [helper.make_node("Mul", ["weight", "table"], ["vector"])], {"table": np.array([[factor, 1]], np.float32)}, inputs, outputs)


def test_recall_and_same_items_of_the_lists(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    retriever(before / "retriever.onnx", [4, 3, 2, 1])  # 10, 20
    retriever(after / "retriever.onnx", [4, 1, 3, 2])  # 10, 30
    relevant = [np.array([10, 20]), np.array([20, 30, 40]), np.array([], np.int64)]
    found = narrowed(before, after, NOTHING_EXCLUDED | {"weight": np.ones((3, 1), np.float32)}, relevant, k=2, items={})
    # before: 2 of 2, 1 of 3; after: 1 of 2, 1 of 3. The user without relevant items does not count
    assert found.before == pytest.approx({"recall@2": (1 + 1 / 3) / 2})
    assert found.after == pytest.approx({"recall@2": (1 / 2 + 1 / 3) / 2})
    assert found.same_items == pytest.approx({"same_items@2": 0.5})
    assert list(found.p50_ratio) == ["retriever"]
    assert found.p50_ratio["retriever"] > 0


def test_items_without_a_score_are_no_answers(tmp_path):
    retriever(tmp_path / "retriever.onnx", [4, -np.inf, -np.inf, -np.inf])
    feed = NOTHING_EXCLUDED | {"weight": np.ones((3, 1), np.float32)}
    assert narrowed(tmp_path, tmp_path, feed, [np.array([20])] * 3, k=4, items={}).before == {"recall@4": 0}


def test_vectors_of_both_towers_are_held_against_those_in_float32(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, scores in ((before, [4, 3, 2, 1]), (after, [4, 3, 2, 1])):
        retriever(folder / "retriever.onnx", scores)
        tower(folder / "item_tower.onnx", 0)
    tower(before / "user_tower.onnx", 0)
    tower(after / "user_tower.onnx", 0.5)
    weight = np.array([[1], [2], [0]], np.float32)
    found = narrowed(before, after, NOTHING_EXCLUDED | {"weight": weight}, [np.array([10])] * 3, k=2, items={"weight": weight})
    assert found.vectors == {"user_tower": 0.5, "item_tower": 0.0}  # (.5, 1) for (0, 1), also twice as long
