"""Graphs of a bundle in fewer bytes, held against those in float32 before they take their place."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from recsys.export.gates import Gate
from recsys.export.preprocessing import raw_lists
from recsys.export.quantize.base import Quantization
from recsys.export.quantize.measure import Rows, Users, measure
from recsys.export.quantize.verdict import verdict
from recsys.export.questions import RowQuestions, UserQuestions, targets
from recsys.schema import Schema

K = 20


def narrow(
    folder: Path, quantization: Quantization, schema: Schema, manifest: Mapping, users: UserQuestions | None, rows: RowQuestions | None
) -> tuple[dict, Gate]:
    """Replace the graphs in `folder` by narrow ones.

    Args:
        manifest: what is said of the bundle so far.
        users, rows: what to measure on; None where the bundle has no such part.
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
        asked = (None if users is None else _users(users, manifest["items"]["dtype"]), None if rows is None else _rows(rows, schema))
        items = None if users is None else users.items
        found = measure(quantization.kind, wide, folder, users=asked[0], items=items, rows=asked[1])
    faults = verdict(found, quantization)
    limit = (
        f"{quantization.kind}: smaller, time at most {quantization.max_p50_ratio} of float32, recall at least "
        f"{quantization.min_recall_ratio} of it, AUC and ECE worse by at most {quantization.max_auc_loss} and {quantization.max_ece_loss}, "
        f"errors of numbers at most {quantization.max_rmse_ratio} of it"
    )
    ratios = ", ".join(f"{name} in {ratio:.2f} of the time" for name, ratio in found.p50_ratio.items())
    passed = f"{found.bytes_after / found.bytes_before:.2f} of the bytes, {ratios}"
    passed += "".join(f", vectors of {tower} within {apart:.2%} of their length" for tower, apart in found.vectors.items())
    said = "; ".join(f"{fault.what} ({fault.where})" for fault in faults) or passed
    return asdict(found), Gate("quantization", not faults, limit, said, "choose another quantize=..., or none")


def _users(users: UserQuestions, dtype: str) -> Users:
    return Users({**users.raw, "exclude": raw_lists(users.exclude, dtype)}, [_ids(items, dtype) for items in users.relevant], K)


def _rows(rows: RowQuestions, schema: Schema) -> Rows:
    labels, numbers = (
        {name: np.where(counts, label, np.nan) for name, (label, counts) in targets(schema, rows.labels, kind).items()}
        for kind in ("binary", "regression")
    )
    return Rows(rows.raw, [feature.column for feature in schema.of("user")], labels, numbers)


def _ids(entries: Sequence[Any], dtype: str) -> np.ndarray:
    return np.array(entries, object if dtype == "string" else np.int64)
