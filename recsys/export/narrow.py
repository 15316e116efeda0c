"""Graphs of a bundle in fewer bytes, held against those in float32 before they take their place."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.export.gates import Gate
from recsys.export.quantize.base import Quantization
from recsys.export.quantize.measure import quantized
from recsys.export.quantize.verdict import verdict
from recsys.export.section import Questions
from recsys.schema import Schema


def narrow(
    folder: Path, quantization: Quantization, schema: Schema, manifest: Mapping, questions: Iterable[Questions]
) -> tuple[dict, Gate]:
    """Replace the graphs in `folder` by narrow ones.

    Args:
        manifest: what is known of the bundle so far.
        questions: what to measure on.
    Returns:
        What the manifest says of it, and whether it may be published.
    Raises:
        ConfigError: there is nothing to narrow.
    """
    with TemporaryDirectory(dir=folder) as scratch:  # inside, so that a killed export leaves nothing else behind
        wide = Path(scratch)
        for path in folder.glob("*.onnx"):
            path.rename(wide / path.name)
        quantization.apply_to_folder(wide, folder)
        changes = [each.narrowed(wide, folder, manifest, schema) for each in questions]
        figures = quantized(quantization.kind, wide, folder, changes)
    faults = verdict(figures, quantization)
    limit = (
        f"{quantization.kind}: smaller, time at most {quantization.max_p50_ratio} of float32, recall at least "
        f"{quantization.min_recall_ratio} of it, AUC and ECE worse by at most {quantization.max_auc_loss} and {quantization.max_ece_loss}, "
        f"errors of numbers at most {quantization.max_rmse_ratio} of it"
    )
    ratios = ", ".join(f"{name} in {ratio:.2f} of the time" for name, ratio in figures.p50_ratio.items())
    passed = f"{figures.bytes_after / figures.bytes_before:.2f} of the bytes, {ratios}"
    passed += "".join(f", vectors of {tower} within {distance:.2%} of their length" for tower, distance in figures.vectors.items())
    outcome = "; ".join(f"{fault.what} ({fault.where})" for fault in faults) or passed
    return asdict(figures), Gate("quantization", not faults, limit, outcome, "choose another quantize=..., or none")
