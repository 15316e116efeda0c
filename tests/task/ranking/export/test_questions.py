"""What came of a row, and where it counts, by hand."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from recsys.schema import Label, Numeric, Schema
from recsys.task.ranking.export.questions import RowQuestions, narrowed, targets
from tests.task.small_graphs import save

SCHEMA = Schema("user", "item", features=(Numeric("x", "user"),), labels=(Label("buy"), Label("spend", given="buy", kind="regression")))
LABELS = {"buy": torch.tensor([1.0, 0.0, 1.0]), "spend": torch.tensor([5.0, torch.nan, torch.nan])}


def counted(kind):
    return {name: (values.nan_to_num(-1).tolist(), rows.tolist()) for name, (values, rows) in targets(SCHEMA, LABELS, kind).items()}


def test_targets_are_of_labels_of_one_kind():
    assert counted("binary") == {"buy": ([1, 0, 1], [True, True, True])}
    # who buys nothing spends nothing, whether or not it was written down
    assert counted("regression") == {"spend": ([5, -1, -1], [True, False, False]), "buy_spend": ([5, 0, 0], [True, True, False])}


def test_a_narrow_ranker_is_measured_on_both_kinds():
    labels, numbers = (RowQuestions({}, LABELS, None).truth(SCHEMA, kind) for kind in ("binary", "regression"))
    assert [*labels, *numbers] == ["buy", "spend", "buy_spend"]
    assert numbers["spend"][0] == 5


@pytest.fixture(autouse=True)
def few_requests(monkeypatch):
    monkeypatch.setattr("recsys.export.requests.REQUESTS", 4)
    monkeypatch.setattr("recsys.export.requests.WARM_UP", 0)


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


def test_auc_and_calibration_of_the_rows_that_count(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    ranker(before / "ranker.onnx", 1)
    ranker(after / "ranker.onnx", -1)
    feed = {"score": np.array([0.0, 0.3, 0.25, 0.8, 0.7], np.float32), "bias": np.full(5, 0.1, np.float32)}
    labels = {"click": np.array([0, 0, 1, np.nan, 0], np.float32)}
    found = narrowed(before, after, feed, ["bias"], labels, {})
    # .1 .4 .35 .8 for 0 0 1 0: one of three pairs in order, and |.1| + |.4| + |.35 - 1| + |.8| over four rows, each a bin of its own.
    # Negated: the other two pairs, and .1 + .4 + 1.35 + .8
    assert found.before == pytest.approx({"click/auc": 1 / 3, "click/ece": 1.95 / 4})
    assert found.after == pytest.approx({"click/auc": 2 / 3, "click/ece": 2.65 / 4})
    assert list(found.p50_ratio) == ["ranker"]


def test_label_of_one_kind_has_no_auc_and_one_without_rows_nothing(tmp_path):
    ranker(tmp_path / "ranker.onnx", 1)
    feed = {"score": np.array([0.5, 0.5], np.float32), "bias": np.zeros(2, np.float32)}
    one_kind = narrowed(tmp_path, tmp_path, feed, ["bias"], {"click": np.ones(2, np.float32)}, {})
    assert one_kind.before == {"click/ece": 0.5}
    nothing = narrowed(tmp_path, tmp_path, feed, ["bias"], {"click": np.full(2, np.nan, np.float32)}, {})
    assert nothing.before == {}


def test_numbers_are_measured_by_their_error_alone_or_beside_probabilities(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    ranker(before / "ranker.onnx", 1)
    ranker(after / "ranker.onnx", 2)
    feed = {"score": np.array([0.0, 0.1, 0.2], np.float32), "bias": np.zeros(3, np.float32)}
    alone = narrowed(before, after, feed, ["bias"], {}, {"spend": np.array([3.0, 5.0, np.nan])})
    # 0 and 1 for 3 and 5, then 0 and 2: roots of (9 + 16) / 2 and of (9 + 9) / 2
    assert alone.before == pytest.approx({"spend/rmse": 12.5**0.5})
    assert alone.after == pytest.approx({"spend/rmse": 3.0})
    assert alone.p50_ratio["ranker"] > 0
    both = narrowed(before, after, feed, ["bias"], {"click": np.ones(3)}, {"spend": np.array([3.0, 5.0, np.nan])})
    assert set(both.before) == {"click/ece", "spend/rmse"}
    assert narrowed(before, after, feed, ["bias"], {}, {"spend": np.full(3, np.nan)}).before == {}
