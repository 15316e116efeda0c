"""What quantisation gains and costs, on graphs whose answers are given by the request."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from recsys.export.quantize import speed
from recsys.export.quantize.measure import Rows, Users, measure

NOTHING_EXCLUDED = {"exclude": np.empty((3, 0), np.int64)}


@pytest.fixture(autouse=True)
def few_requests(monkeypatch):
    monkeypatch.setattr(speed, "REQUESTS", 4)
    monkeypatch.setattr(speed, "WARM_UP", 0)


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


def ranker(path, factor):
    """click = factor * (score [B] of the row + bias [U = 1 or B] of the user), spend = 10 of it."""
    nodes = [
        helper.make_node("Add", ["score", "bias"], ["sum"]),
        helper.make_node("Mul", ["sum", "factor"], ["click"]),
        helper.make_node("Mul", ["click", "ten"], ["spend"]),
    ]
    inputs = {name: (TensorProto.FLOAT, [name]) for name in ("score", "bias")}
    outputs = {name: (TensorProto.FLOAT, ["batch"]) for name in ("click", "spend")}
    save(path, nodes, {"factor": np.float32(factor), "ten": np.float32(10)}, inputs, outputs)


def tower(path, factor):
    """vector = (factor, 1) * weight [B, 1]."""
    inputs, outputs = {"weight": (TensorProto.FLOAT, ["batch", 1])}, {"vector": (TensorProto.FLOAT, ["batch", 2])}
    save(path, [helper.make_node("Mul", ["weight", "table"], ["vector"])], {"table": np.array([[factor, 1]], np.float32)}, inputs, outputs)


def save(path, nodes, constants, inputs, outputs):
    infos = [[helper.make_tensor_value_info(name, *kind) for name, kind in values.items()] for values in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *infos, [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()])
    path.parent.mkdir(exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def test_recall_and_same_items_of_the_lists(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    retriever(before / "retriever.onnx", [4, 3, 2, 1])  # 10, 20
    retriever(after / "retriever.onnx", [4, 1, 3, 2])  # 10, 30
    relevant = [np.array([10, 20]), np.array([20, 30, 40]), np.array([], np.int64)]
    found = measure("x", before, after, users=Users(NOTHING_EXCLUDED | {"weight": np.ones((3, 1), np.float32)}, relevant, k=2))
    # before: 2 of 2, 1 of 3; after: 1 of 2, 1 of 3. The user without relevant items does not count
    assert found.float32 == pytest.approx({"recall@2": (1 + 1 / 3) / 2})
    assert found.loss == pytest.approx({"recall@2": (1 / 2 + 1 / 3) / 2 - (1 + 1 / 3) / 2})
    assert found.same_items == pytest.approx({"same_items@2": 0.5})
    assert list(found.p50_ratio) == ["retriever"]
    assert found.p50_ratio["retriever"] > 0


def test_items_without_a_score_are_no_answers(tmp_path):
    retriever(tmp_path / "retriever.onnx", [4, -np.inf, -np.inf, -np.inf])
    users = Users(NOTHING_EXCLUDED | {"weight": np.ones((3, 1), np.float32)}, [np.array([20])] * 3, k=4)
    assert measure("x", tmp_path, tmp_path, users=users).float32 == {"recall@4": 0}


def test_auc_and_calibration_of_the_rows_that_count(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    ranker(before / "ranker.onnx", 1)
    ranker(after / "ranker.onnx", -1)
    feed = {"score": np.array([0.0, 0.3, 0.25, 0.8, 0.7], np.float32), "bias": np.full(5, 0.1, np.float32)}
    labels = {"click": np.array([0, 0, 1, np.nan, 0], np.float32)}
    found = measure("x", before, after, rows=Rows(feed, ["bias"], labels))
    # .1 .4 .35 .8 for 0 0 1 0: one of three pairs in order, and |.1| + |.4| + |.35 - 1| + |.8| over four rows, each a bin of its own.
    # Negated: the other two pairs, and .1 + .4 + 1.35 + .8
    assert found.float32 == pytest.approx({"click/auc": 1 / 3, "click/ece": 1.95 / 4})
    assert found.loss == pytest.approx({"click/auc": 1 / 3, "click/ece": 0.7 / 4})
    assert list(found.p50_ratio) == ["ranker"]


def test_label_of_one_kind_has_no_auc_and_one_without_rows_nothing(tmp_path):
    ranker(tmp_path / "ranker.onnx", 1)
    feed = {"score": np.array([0.5, 0.5], np.float32), "bias": np.zeros(2, np.float32)}
    one_kind = measure("x", tmp_path, tmp_path, rows=Rows(feed, ["bias"], {"click": np.ones(2, np.float32)}))
    assert one_kind.float32 == {"click/ece": 0.5}
    nothing = measure("x", tmp_path, tmp_path, rows=Rows(feed, ["bias"], {"click": np.full(2, np.nan, np.float32)}))
    assert nothing.float32 == {}


def test_numbers_are_measured_by_their_error_alone_or_beside_probabilities(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    ranker(before / "ranker.onnx", 1)
    ranker(after / "ranker.onnx", 2)
    feed = {"score": np.array([0.0, 0.1, 0.2], np.float32), "bias": np.zeros(3, np.float32)}
    alone = measure("x", before, after, rows=Rows(feed, ["bias"], {}, {"spend": np.array([3.0, 5.0, np.nan])}))
    # 0 and 1 for 3 and 5, then 0 and 2: roots of (9 + 16) / 2 and of (9 + 9) / 2
    assert alone.float32 == pytest.approx({"spend/rmse": 12.5**0.5})
    assert alone.loss == pytest.approx({"spend/rmse": 3 - 12.5**0.5})
    assert alone.p50_ratio["ranker"] > 0
    both = measure("x", before, after, rows=Rows(feed, ["bias"], {"click": np.ones(3)}, {"spend": np.array([3.0, 5.0, np.nan])}))
    assert set(both.float32) == {"click/ece", "spend/rmse"}
    assert measure("x", before, after, rows=Rows(feed, ["bias"], {}, {"spend": np.full(3, np.nan)})).float32 == {}


def test_vectors_of_both_towers_are_held_against_those_in_float32(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, scores in ((before, [4, 3, 2, 1]), (after, [4, 3, 2, 1])):
        retriever(folder / "retriever.onnx", scores)
        tower(folder / "item_tower.onnx", 0)
    tower(before / "user_tower.onnx", 0)
    tower(after / "user_tower.onnx", 0.5)
    weight = np.array([[1], [2], [0]], np.float32)
    users = Users(NOTHING_EXCLUDED | {"weight": weight}, [np.array([10])] * 3, k=2)
    found = measure("x", before, after, users=users, items={"weight": weight})
    assert found.vectors == {"user_tower": 0.5, "item_tower": 0.0}  # (.5, 1) for (0, 1), also twice as long


def test_sizes_are_of_all_graphs(tmp_path):
    for folder, sizes in (("before", (5, 7)), ("after", (1, 2))):
        (tmp_path / folder).mkdir()
        for name, size in zip(("a.onnx", "b.onnx"), sizes):
            (tmp_path / folder / name).write_bytes(b"x" * size)
    found = measure("int8_tables", tmp_path / "before", tmp_path / "after")
    assert (found.kind, found.bytes_before, found.bytes_after) == ("int8_tables", 12, 3)
