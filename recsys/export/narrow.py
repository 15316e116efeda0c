"""Graphs of a bundle in fewer bytes, held against those in float32 before they take their place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from recsys.export.gates import Gate
from recsys.export.quantize.base import Quantization
from recsys.export.section import Narrowed, Questions
from recsys.schema import Schema


def narrow(
    folder: Path, quantization: Quantization, schema: Schema, manifest: Mapping, questions: Iterable[Questions]
) -> tuple[dict, Gate]:
    """Replace the graphs in `folder` by narrow ones; a ConfigError where none can be narrowed.

    Args:
        manifest: of the bundle so far.
        questions: test data to measure on.
    Returns:
        manifest["quantized"], as from `quantized`, and whether the bundle may be published.
    """
    with TemporaryDirectory(dir=folder) as scratch:  # inside, so that a killed export leaves nothing else behind
        wide = Path(scratch)
        for path in folder.glob("*.onnx"):
            path.rename(wide / path.name)
        quantization.apply_to_folder(wide, folder)
        changes = [each.narrowed(wide, folder, manifest, schema) for each in questions]
        figures = quantized(quantization.kind, wide, folder, changes)
    limit = (
        f"{quantization.kind}: smaller, time at most {quantization.max_p50_ratio} of float32, recall at least "
        f"{quantization.min_recall_ratio} of it, AUC and ECE worse by at most {quantization.max_auc_loss} and {quantization.max_ece_loss}, "
        f"errors of numbers at most {quantization.max_rmse_ratio} of it"
    )
    ratios = ", ".join(f"{name} in {ratio:.2f} of the time" for name, ratio in figures["p50_ratio"].items())
    gain = f"{figures['bytes_after'] / figures['bytes_before']:.2f} of the bytes, {ratios}"
    gain += "".join(f", vectors of {tower} within {distance:.2%} of their length" for tower, distance in figures["vectors"].items())
    excesses = list(verdict(figures, quantization))
    return figures, Gate("quantization", not excesses, limit, "; ".join(excesses) or gain, "choose another quantize=..., or none")


def quantized(kind: str, before: Path, after: Path, changes: Sequence[Narrowed]) -> dict[str, Any]:
    """Gain and cost of quantisation, of two folders that hold the same *.onnx, in float32 and narrow.

    Returns:
        kind; bytes_before and bytes_after of all graphs together; and of all tasks together p50_ratio, float32 {metric: value before},
        loss {metric: value after - value before}, same_items and vectors, as in `Narrowed`.
    """
    sizes = [sum(path.stat().st_size for path in folder.glob("*.onnx")) for folder in (before, after)]
    figures: dict[str, Any] = {"kind": kind, "bytes_before": sizes[0], "bytes_after": sizes[1]}
    figures |= {key: {} for key in ("p50_ratio", "float32", "loss", "same_items", "vectors")}
    for change in changes:
        figures["p50_ratio"] |= change.p50_ratio
        figures["float32"] |= change.before
        figures["loss"] |= {metric: change.after[metric] - value for metric, value in change.before.items()}
        figures["same_items"] |= change.same_items
        figures["vectors"] |= change.vectors
    return figures


def verdict(figures: Mapping[str, Any], limits: Quantization) -> Iterator[str]:
    """Reasons to refuse a bundle, a sentence each: no bytes saved, a limit of time or quality passed, or vectors that are not finite."""
    kind, bytes_before, bytes_after = (figures[key] for key in ("kind", "bytes_before", "bytes_after"))
    if not bytes_after < bytes_before:
        yield f"{kind} saves nothing: {bytes_before:,} bytes before, {bytes_after:,} after (all graphs)"
    for graph, ratio in figures["p50_ratio"].items():
        if not ratio <= limits.max_p50_ratio:
            yield f"{kind} takes {ratio:.2f} of the time of float32 (limit {limits.max_p50_ratio}) ({graph}.onnx, a single request)"
    for metric, before in figures["float32"].items():
        after = before + figures["loss"][metric]
        values = f"{metric} {after:.5f}, {before:.5f} in float32"
        if metric.startswith("recall@") and not after >= limits.min_recall_ratio * before:
            yield f"{kind} loses recall: {values} (limit {limits.min_recall_ratio} of it) (lists of test users)"
        if metric.endswith("/auc") and not before - after <= limits.max_auc_loss:
            yield f"{kind} loses order: {values} (limit {limits.max_auc_loss} less) (test rows)"
        if metric.endswith("/ece") and not after - before <= limits.max_ece_loss:
            yield f"{kind} loses calibration: {values} (limit {limits.max_ece_loss} more) (test rows)"
        if metric.endswith("/rmse") and not after <= limits.max_rmse_ratio * before:
            yield f"{kind} loses accuracy: {values} (limit {limits.max_rmse_ratio} of it) (test rows)"
    for tower, distance in figures["vectors"].items():
        if not np.isfinite(distance):
            yield f"{kind} gives vectors that are not finite ({tower}.onnx)"
