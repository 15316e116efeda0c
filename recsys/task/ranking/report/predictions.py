"""What a ranking run predicted of every test row, label by label. N rows."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from torch import Tensor

from recsys.disk.records import reading
from recsys.metric.funnel import Target, targets
from recsys.run.directory import CONFIG, PREDICTIONS, RunDirectory
from recsys.schema import Label


def tested_labels(run: RunDirectory) -> list[Label]:
    """Labels as config.yaml has them."""
    with reading(run.path / CONFIG):
        return [_label(node) for node in run.plain["data"]["labels"]]


def tested_targets(run: RunDirectory) -> tuple[list[Target], Tensor | None]:
    """Labels and funnels as the test measured them, and the number of each row's user [N] int64, where rows name one.

    Raises:
        IntegrityError: a row or column is missing, or a value cannot be one.
    """
    labels, user = tested_labels(run), run.test["user"]
    columns = [column for label in labels for column in (label.column, f"predicted/{label.column}")]
    frame = run.table(PREDICTIONS, [*columns, *([] if user is None else [user])])
    with reading(run.path / PREDICTIONS):
        if len(frame) != run.test["rows"]:
            raise ValueError(f"it has {len(frame):,} rows, and the test had {run.test['rows']:,}")
        if user is not None and frame[user].null_count():
            raise ValueError(f"column '{user}' lacks values")
        for label in labels:
            _require_possible(frame, label)
        actual = {label.column: _tensor(frame[label.column]) for label in labels}
        predicted = {label.column: _tensor(frame[f"predicted/{label.column}"]) for label in labels}
        number = None if user is None else torch.from_numpy(frame[user].rank("dense").cast(pl.Int64).to_numpy(writable=True))
        return targets(labels, predicted, actual), number


def _require_possible(frame: pl.DataFrame, label: Label) -> None:
    """A label may be missing; what is predicted of it may not."""
    binary = label.kind == "binary"
    actual, predicted = _tensor(frame[label.column]), _tensor(frame[f"predicted/{label.column}"])
    known = actual[~actual.isnan()]
    if not (((known == 0) | (known == 1)) if binary else known.isfinite()).all():
        raise ValueError(f"column '{label.column}' holds what no {label.kind} label is")
    if not (((predicted >= 0) & (predicted <= 1)) if binary else predicted.isfinite()).all():
        raise ValueError(f"column 'predicted/{label.column}' holds what predicts no {label.kind} label")


def _label(node: Mapping[str, Any]) -> Label:
    return Label(**{key: value for key, value in node.items() if key != "_target_"})


def _tensor(values: pl.Series) -> Tensor:
    if not values.dtype.is_numeric():
        raise TypeError(f"column '{values.name}' holds {values.dtype}, no numbers")
    return torch.from_numpy(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True))
