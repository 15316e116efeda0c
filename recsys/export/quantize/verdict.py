"""Whether a quantised bundle may be published: smaller, no slower, and as good within its limits."""

from collections.abc import Iterator

import numpy as np

from recsys.errors import Fault
from recsys.export.quantize.base import Quantization
from recsys.export.quantize.measure import Quantized


def verdict(figures: Quantized, limits: Quantization) -> list[Fault]:
    """Why it must be refused; nothing if it may be published. A number that is not finite refuses it too."""
    remedy = "choose another kind, or quantize=null"
    return [Fault(f"{figures.kind} {what}", where, remedy) for what, where in _excesses(figures, limits)]


def _excesses(figures: Quantized, limits: Quantization) -> Iterator[tuple[str, str]]:
    if not figures.bytes_after < figures.bytes_before:
        yield f"saves nothing: {figures.bytes_before:,} bytes before, {figures.bytes_after:,} after", "all graphs"
    for graph, ratio in figures.p50_ratio.items():
        if not ratio <= limits.max_p50_ratio:
            yield f"takes {ratio:.2f} of the time of float32 (limit {limits.max_p50_ratio})", f"{graph}.onnx, a single request"
    for metric, before in figures.float32.items():
        after = before + figures.loss[metric]
        values = f"{metric} {after:.5f}, {before:.5f} in float32"
        if metric.startswith("recall@") and not after >= limits.min_recall_ratio * before:
            yield f"loses recall: {values} (limit {limits.min_recall_ratio} of it)", "lists of test users"
        if metric.endswith("/auc") and not before - after <= limits.max_auc_loss:
            yield f"loses order: {values} (limit {limits.max_auc_loss} less)", "test rows"
        if metric.endswith("/ece") and not after - before <= limits.max_ece_loss:
            yield f"loses calibration: {values} (limit {limits.max_ece_loss} more)", "test rows"
        if metric.endswith("/rmse") and not after <= limits.max_rmse_ratio * before:
            yield f"loses accuracy: {values} (limit {limits.max_rmse_ratio} of it)", "test rows"
    for tower, distance in figures.vectors.items():
        if not np.isfinite(distance):
            yield "gives vectors that are not finite", f"{tower}.onnx"
