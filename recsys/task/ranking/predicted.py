"""What a ranker says of rows, label by label. B rows of a batch, N rows, H labels."""

from dataclasses import asdict

import torch
from torch import Tensor

from recsys.batch import Truth
from recsys.errors import Fault, NumericsError
from recsys.metric import regression
from recsys.metric.funnel import Target
from recsys.metric.reliability import reliability
from recsys.task.ranking.module import RankingModule


def side_by_side(outputs: dict[str, Tensor]) -> Tensor:
    """[B, H] float32 of what a step gives of a batch, {label: [B]} logits and numbers before calibration."""
    return torch.stack([*outputs.values()], dim=1).float()


def by_label(values: Tensor, pl_module: RankingModule) -> dict[str, Tensor]:
    """{label: [N] float64} of [N, H]; a NumericsError where one is not finite."""
    broken = int((~values.isfinite()).any(1).sum())
    if broken:
        what = f"predictions of {broken:,} of {len(values):,} impressions hold NaN or infinity"
        raise NumericsError(Fault(what, "evaluation", "lower optimizer.dense.lr and optimizer.tables.lr, or train in float32"))
    return {label.column: column.double() for label, column in zip(pl_module.labels, values.unbind(1), strict=True)}


def calibrated(outputs: dict[str, Tensor], pl_module: RankingModule) -> dict[str, Tensor]:
    """{label: [N] float64} probability, or number."""
    with torch.no_grad():
        probability = {column: calibration(outputs[column].float()).double() for column, calibration in pl_module.calibrations.items()}
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


def numbers(prefix: str, target: Target) -> dict[str, float]:
    """Errors of what is no probability, under this prefix of the keys."""
    predicted, actual = target.predicted[target.rows], target.actual[target.rows]
    if not len(actual):
        return {f"{prefix}rows": 0.0}
    errors = {metric.name: metric.measure(predicted, actual) for metric in regression.METRICS}
    return {f"{prefix}{name}": value for name, value in {**errors, "rows": float(len(actual))}.items()}


def reliability_curves(measured: list[Target]) -> dict[str, dict]:
    """{binary label or funnel: its curve}; without those that concern no row."""
    binary = [target for target in measured if target.binary]
    curves = {target.name: reliability(target.predicted[target.rows], target.actual[target.rows]) for target in binary}
    return {name: asdict(curve) for name, curve in curves.items() if curve is not None}
