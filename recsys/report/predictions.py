"""What a ranking run predicted of every test row, label by label. N rows."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from torch import Tensor

from recsys.metric.funnel import Target, targets
from recsys.record import CONFIG, reading
from recsys.report.run import RunFiles
from recsys.schema import Label

FILE = "predictions.parquet"


def tested_labels(run: RunFiles) -> list[Label]:
    """Labels as config.yaml has them."""
    with reading(run.path / CONFIG):
        return [_label(node) for node in run.config["data"]["labels"]]


def tested_targets(run: RunFiles) -> tuple[list[Target], Tensor | None]:
    """Labels and funnels as the test measured them, and the number of each row's user [N] int64, where rows name one."""
    labels = tested_labels(run)
    user = run.data["test"]["user"]
    frame = run.table(FILE)
    with reading(run.path / FILE):
        actual = {label.column: _tensor(frame[label.column]) for label in labels}
        predicted = {label.column: _tensor(frame[f"predicted/{label.column}"]) for label in labels}
        number = None if user is None else torch.from_numpy(frame[user].rank("dense").cast(pl.Int64).to_numpy(writable=True))
        return targets(labels, predicted, actual), number


def _label(node: Mapping[str, Any]) -> Label:
    return Label(**{key: value for key, value in node.items() if key != "_target_"})


def _tensor(values: pl.Series) -> Tensor:
    return torch.from_numpy(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True))
