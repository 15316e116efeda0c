"""Graphs of a bundle in fewer bytes, held against those in float32 before they take their place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recsys.export.gates import Gate
from recsys.export.quantize.base import Quantization
from recsys.export.section import Narrowed, Questions
from recsys.schema import Schema


@dataclass(frozen=True)
class Quantized:
    """What quantisation gains and costs, for the manifest.

    Attributes:
        kind: of quantisation.
        bytes_before, bytes_after: of all graphs together.
        p50_ratio: {graph: time of a single request, over that in float32}.
        float32: {metric: value before}: `recall@<k>`, `<label>/auc`, `<label>/ece` and `<number>/rmse`. AUC only where both labels occur.
        loss: {metric: value after - value before}.
        same_items: {`same_items@<k>`: share of the items of a float32 list that the narrow list holds too}.
        vectors: {tower: how far its vectors are at most from those in float32, as a share of the length of these}.
    """

    kind: str
    bytes_before: int
    bytes_after: int
    p50_ratio: dict[str, float]
    float32: dict[str, float]
    loss: dict[str, float]
    same_items: dict[str, float]
    vectors: dict[str, float]


def narrow(
    folder: Path, quantization: Quantization, schema: Schema, manifest: Mapping, questions: Iterable[Questions]
) -> tuple[dict, Gate]:
    """Replace the graphs in `folder` by narrow ones; a ConfigError where none can be narrowed.

    Args:
        manifest: of the bundle so far.
        questions: test data to measure on.
    Returns:
        `Quantized` as a dict, and whether it may be published.
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
    ratios = ", ".join(f"{name} in {ratio:.2f} of the time" for name, ratio in figures.p50_ratio.items())
    gain = f"{figures.bytes_after / figures.bytes_before:.2f} of the bytes, {ratios}"
    gain += "".join(f", vectors of {tower} within {distance:.2%} of their length" for tower, distance in figures.vectors.items())
    excesses = list(verdict(figures, quantization))
    return asdict(figures), Gate("quantization", not excesses, limit, "; ".join(excesses) or gain, "choose another quantize=..., or none")


def quantized(kind: str, before: Path, after: Path, changes: Sequence[Narrowed]) -> Quantized:
    """The changes of all tasks, and the sizes of two folders that hold the same *.onnx, in float32 and narrow."""
    sizes = [sum(path.stat().st_size for path in folder.glob("*.onnx")) for folder in (before, after)]
    figures = Quantized(kind, sizes[0], sizes[1], {}, {}, {}, {}, {})
    for change in changes:
        figures.p50_ratio.update(change.p50_ratio)
        figures.float32.update(change.before)
        figures.loss.update({metric: change.after[metric] - value for metric, value in change.before.items()})
        figures.same_items.update(change.same_items)
        figures.vectors.update(change.vectors)
    return figures


def verdict(figures: Quantized, limits: Quantization) -> Iterator[str]:
    """Sentences on why a bundle must be refused: it is not smaller, slower, worse than its limits, or has a number that is not finite."""
    kind = figures.kind
    if not figures.bytes_after < figures.bytes_before:
        yield f"{kind} saves nothing: {figures.bytes_before:,} bytes before, {figures.bytes_after:,} after (all graphs)"
    for graph, ratio in figures.p50_ratio.items():
        if not ratio <= limits.max_p50_ratio:
            yield f"{kind} takes {ratio:.2f} of the time of float32 (limit {limits.max_p50_ratio}) ({graph}.onnx, a single request)"
    for metric, before in figures.float32.items():
        after = before + figures.loss[metric]
        values = f"{metric} {after:.5f}, {before:.5f} in float32"
        if metric.startswith("recall@") and not after >= limits.min_recall_ratio * before:
            yield f"{kind} loses recall: {values} (limit {limits.min_recall_ratio} of it) (lists of test users)"
        if metric.endswith("/auc") and not before - after <= limits.max_auc_loss:
            yield f"{kind} loses order: {values} (limit {limits.max_auc_loss} less) (test rows)"
        if metric.endswith("/ece") and not after - before <= limits.max_ece_loss:
            yield f"{kind} loses calibration: {values} (limit {limits.max_ece_loss} more) (test rows)"
        if metric.endswith("/rmse") and not after <= limits.max_rmse_ratio * before:
            yield f"{kind} loses accuracy: {values} (limit {limits.max_rmse_ratio} of it) (test rows)"
    for tower, distance in figures.vectors.items():
        if not np.isfinite(distance):
            yield f"{kind} gives vectors that are not finite ({tower}.onnx)"
