"""Whether a quantised bundle may be published."""

from dataclasses import replace

import pytest

from recsys.export.quantize.fp16_tables import Fp16Tables
from recsys.export.quantize.measure import Quantized
from recsys.export.quantize.verdict import verdict

LIMITS = Fp16Tables(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.002, max_rmse_ratio=1.01, max_p50_ratio=1.05)
FLOAT32 = {"recall@20": 0.2, "click/auc": 0.7, "click/ece": 0.005, "spend/rmse": 2.0}
# just inside of every limit: .1991 is .9955 of .2
LOSS = {"recall@20": -0.0009, "click/auc": -0.0009, "click/ece": 0.0019, "spend/rmse": 0.019}
VECTORS = {"user_tower": 0.3, "item_tower": 0.01}
GOOD = Quantized("fp16_tables", 1000, 999, {"retriever": 1.04, "ranker": 0.5}, FLOAT32, LOSS, {"same_items@20": 0.9}, VECTORS)


def refusals(**changes):
    return [f"{fault.what} | {fault.where}" for fault in verdict(replace(GOOD, **changes), LIMITS)]


def test_what_is_within_the_limits_may_be_published():
    assert refusals() == []


def test_gains_may_be_published():
    assert refusals(loss={"recall@20": 0.1, "click/auc": 0.1, "click/ece": -0.004, "spend/rmse": -1.0}) == []


def test_bundle_that_is_not_smaller_is_refused():
    assert refusals(bytes_after=1000) == ["fp16_tables saves nothing: 1,000 bytes before, 1,000 after | all graphs"]


def test_slower_graph_is_refused_and_named():
    assert refusals(p50_ratio={"retriever": 1.06, "ranker": 1.0}) == [
        "fp16_tables takes 1.06 of the time of float32 (limit 1.05) | retriever.onnx, a single request"
    ]


@pytest.mark.parametrize(
    ("metric", "loss", "said"),
    [
        ("recall@20", -0.0011, "loses recall: recall@20 0.19890, 0.20000 in float32 (limit 0.995 of it) | lists of test users"),
        ("click/auc", -0.0011, "loses order: click/auc 0.69890, 0.70000 in float32 (limit 0.001 less) | test rows"),
        ("spend/rmse", 0.021, "loses accuracy: spend/rmse 2.02100, 2.00000 in float32 (limit 1.01 of it) | test rows"),
        ("click/ece", 0.0021, "loses calibration: click/ece 0.00710, 0.00500 in float32 (limit 0.002 more) | test rows"),
    ],
)
def test_worse_answers_are_refused(metric, loss, said):
    assert refusals(loss=LOSS | {metric: loss}) == [f"fp16_tables {said}"]


@pytest.mark.parametrize("metric", LOSS)
def test_numbers_that_are_not_finite_are_refused(metric):
    assert len(refusals(loss=LOSS | {metric: float("nan")})) == 1


def test_vectors_that_are_not_finite_are_refused():
    assert refusals(vectors=VECTORS | {"item_tower": float("nan")}) == ["fp16_tables gives vectors that are not finite | item_tower.onnx"]


def test_refusal_says_what_to_type():
    (fault,) = verdict(replace(GOOD, bytes_after=1001), LIMITS)
    assert fault.remedy == "choose another kind, or quantize=null"
