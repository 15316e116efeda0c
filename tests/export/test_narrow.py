"""Whether narrow graphs may take the place of those in float32: changes of all tasks, sizes of all graphs, and the verdict."""

import pytest

from recsys.export.narrow import quantized, verdict
from recsys.export.quantize.fp16_tables import Fp16Tables
from recsys.export.section import Narrowed

LIMITS = Fp16Tables(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.002, max_rmse_ratio=1.01, max_p50_ratio=1.05)
FLOAT32 = {"recall@20": 0.2, "click/auc": 0.7, "click/ece": 0.005, "spend/rmse": 2.0}
# just inside of every limit: .1991 is .9955 of .2
LOSS = {"recall@20": -0.0009, "click/auc": -0.0009, "click/ece": 0.0019, "spend/rmse": 0.019}
VECTORS = {"user_tower": 0.3, "item_tower": 0.01}
GOOD = {"kind": "fp16_tables", "bytes_before": 1000, "bytes_after": 999, "p50_ratio": {"retriever": 1.04, "ranker": 0.5}}
GOOD |= {"float32": FLOAT32, "loss": LOSS, "same_items": {"same_items@20": 0.9}, "vectors": VECTORS}


def refusals(**changes):
    return list(verdict(GOOD | changes, LIMITS))


def test_what_is_within_the_limits_may_be_published():
    assert refusals() == []


def test_gains_may_be_published():
    assert refusals(loss={"recall@20": 0.1, "click/auc": 0.1, "click/ece": -0.004, "spend/rmse": -1.0}) == []


def test_bundle_that_is_not_smaller_is_refused():
    assert refusals(bytes_after=1000) == ["fp16_tables saves nothing: 1,000 bytes before, 1,000 after (all graphs)"]


def test_slower_graph_is_refused_and_named():
    assert refusals(p50_ratio={"retriever": 1.06, "ranker": 1.0}) == [
        "fp16_tables takes 1.06 of the time of float32 (limit 1.05) (retriever.onnx, a single request)"
    ]


@pytest.mark.parametrize(
    ("metric", "loss", "said"),
    [
        ("recall@20", -0.0011, "loses recall: recall@20 0.19890, 0.20000 in float32 (limit 0.995 of it) (lists of test users)"),
        ("click/auc", -0.0011, "loses order: click/auc 0.69890, 0.70000 in float32 (limit 0.001 less) (test rows)"),
        ("spend/rmse", 0.021, "loses accuracy: spend/rmse 2.02100, 2.00000 in float32 (limit 1.01 of it) (test rows)"),
        ("click/ece", 0.0021, "loses calibration: click/ece 0.00710, 0.00500 in float32 (limit 0.002 more) (test rows)"),
    ],
)
def test_worse_answers_are_refused(metric, loss, said):
    assert refusals(loss=LOSS | {metric: loss}) == [f"fp16_tables {said}"]


@pytest.mark.parametrize("metric", LOSS)
def test_numbers_that_are_not_finite_are_refused(metric):
    assert len(refusals(loss=LOSS | {metric: float("nan")})) == 1


def test_vectors_that_are_not_finite_are_refused():
    assert refusals(vectors=VECTORS | {"item_tower": float("nan")}) == ["fp16_tables gives vectors that are not finite (item_tower.onnx)"]


def test_sizes_are_of_all_graphs(tmp_path):
    for folder, sizes in (("before", (5, 7)), ("after", (1, 2))):
        (tmp_path / folder).mkdir()
        for name, size in zip(("a.onnx", "b.onnx"), sizes):
            (tmp_path / folder / name).write_bytes(b"x" * size)
    found = quantized("int8_tables", tmp_path / "before", tmp_path / "after", [])
    assert (found["kind"], found["bytes_before"], found["bytes_after"]) == ("int8_tables", 12, 3)


def test_changes_of_all_tasks_stand_beside_each_other(tmp_path):
    lists = Narrowed({"recall@2": 0.5}, {"recall@2": 0.75}, {"retriever": 0.9}, {"same_items@2": 0.5}, {"user_tower": 0.1})
    labels = Narrowed({"click/auc": 0.5}, {"click/auc": 0.25}, {"ranker": 0.8})
    figures = quantized("x", tmp_path, tmp_path, [lists, labels])
    assert figures["float32"] == {"recall@2": 0.5, "click/auc": 0.5}
    assert figures["loss"] == {"recall@2": 0.25, "click/auc": -0.25}
    assert figures["p50_ratio"] == {"retriever": 0.9, "ranker": 0.8}
    assert (figures["same_items"], figures["vectors"]) == ({"same_items@2": 0.5}, {"user_tower": 0.1})
