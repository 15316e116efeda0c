"""What a ranker predicts of rows, label by label, and metrics that are not those of probabilities. N rows, H labels."""

from dataclasses import asdict

import torch
from torch import Tensor

from recsys.batch import Truth
from recsys.errors import Fault, NumericsError
from recsys.metric import regression
from recsys.metric.funnel import Target
from recsys.metric.reliability import reliability
from recsys.task.ranking.module import RankingModule


def by_label(values: Tensor, module: RankingModule) -> dict[str, Tensor]:
    """{label: [N] float64} of [N, H] logits and numbers; a NumericsError where one is not finite."""
    broken = int((~values.isfinite()).any(1).sum())
    if broken:
        what = f"predictions of {broken:,} of {len(values):,} impressions hold NaN or infinity"
        raise NumericsError(Fault(what, "evaluation", "lower optimizer.dense.lr and optimizer.tables.lr, or train in float32"))
    return {label.column: column.double() for label, column in zip(module.labels, values.unbind(1), strict=True)}


def calibrated(outputs: dict[str, Tensor], module: RankingModule) -> dict[str, Tensor]:
    """{label: [N] float64} probability, or number."""
    with torch.no_grad():
        probability = {column: calibration(outputs[column].float()).double() for column, calibration in module.calibrations.items()}
    return outputs | probability


def against_truth(outputs: dict[str, Tensor], truth: Truth) -> dict[str, float]:
    """How far a label given another is from its probability if that one had to be 1 in every row.

    Before calibration, which makes it right on the rows where the given one is 1: what it is on all rows, the loss decides.
    """
    values = {}
    for column, true in truth.forced.items():
        predicted = outputs[column].sigmoid()
        values[f"test/{column}_on_all/mae"] = float((predicted - true).abs().mean())
        values[f"test/{column}_on_all/rmse"] = float((predicted - true).square().mean().sqrt())
        values[f"test/{column}_on_all/predicted_over_actual"] = float(predicted.sum() / true.sum())
    return values


def numbers(target: Target) -> dict[str, float]:
    """{metric: error} of a target that is no probability, and its rows; these alone where there are none."""
    predicted, actual = target.measured()
    errors = {metric.name: metric.measure(predicted, actual) for metric in regression.METRICS} if len(actual) else {}
    return {**errors, "rows": float(len(actual))}


def reliability_curves(targets: list[Target]) -> dict[str, dict]:
    """{binary label or funnel: its curve}; without those that concern no row."""
    curves = {target.name: reliability(*target.measured()) for target in targets if target.binary}
    return {name: asdict(curve) for name, curve in curves.items() if curve is not None}
