"""What quantisation gains and costs: the same requests to graphs in float32 and to narrow ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.export.section import Narrowed

Feed = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Quantized:
    """What was measured, for the manifest.

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


def rows_of(feed: Feed, start: int, number: int) -> dict[str, np.ndarray]:
    """Up to `number` rows of every input, from `start` on."""
    return {column: values[start : start + number] for column, values in feed.items()}
