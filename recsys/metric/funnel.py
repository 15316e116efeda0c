"""Predictions of labels and of their funnels: gathered over processes, and on which rows they are measured.

B rows of a batch, N rows of all, H columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric

from recsys.schema import Label, chains


class Predictions(Metric):
    """Keeps one vector [H] per row; `compute` gives every process all of them, by row number. A row that comes twice counts once."""

    full_state_update = False
    number: list[Tensor]
    values: list[Tensor]

    def __init__(self, width: int, *, dtype: torch.dtype = torch.float32):
        super().__init__()
        for state in ("number", "values"):
            self.add_state(state, [], dist_reduce_fx="cat")
        # a process that gets no row must still send tensors of the right rank, or the others wait for it for ever
        self.update(torch.empty(0, dtype=torch.int64), torch.empty(0, width, dtype=dtype))

    def update(self, number: Tensor, values: Tensor) -> None:
        """Keep [B, H] values of the rows [B] int64."""
        self.number.append(number.to(self.device))
        self.values.append(values.to(self.device))

    def compute(self) -> Tensor:
        """[N, H] on the CPU, N being the number of distinct rows."""
        number, values = (torch.cat(state).cpu() if isinstance(state, list) else state.cpu() for state in (self.number, self.values))
        first = torch.full((int(number.max()) + 1 if len(number) else 0,), -1, dtype=torch.int64)
        first[number] = torch.arange(len(number))
        return values[first[first >= 0]]


@dataclass(frozen=True)
class Target:
    """A label where the one it is given is 1, or a whole funnel such as click and conversion over all rows.

    Attributes:
        name: as in metric keys: the label's column, or the columns of its funnel joined by "_".
        binary: predicted by a probability; otherwise by a number.
        rows: [N] bool, the rows it is measured on.
        predicted: [N] float64.
        actual: [N] float64, 0 or 1 for a binary one; anything outside `rows`.
    """

    name: str
    binary: bool
    rows: Tensor
    predicted: Tensor
    actual: Tensor

    def predicted_and_actual(self) -> tuple[Tensor, Tensor]:
        """Predicted and actual values of the rows that it is measured on."""
        return self.predicted[self.rows], self.actual[self.rows]


def targets(labels: Sequence[Label], predicted: Mapping[str, Tensor], actual: Mapping[str, Tensor]) -> list[Target]:
    """Every label on the rows where the label it is given is 1, and behind it, for a label given another, its funnel over all rows.

    Args:
        labels: each after the label it is given.
        predicted: {label: [N] float64}: P(label | given = 1), or the number of a regression where given = 1.
        actual: {label: [N] float32}, NaN where missing.
    """
    measured, funnels = [], chains(labels)
    for label in labels:
        columns = funnels[label.column]
        own = actual[label.column].double()
        binary = label.kind == "binary"
        known = torch.stack([~actual[column].isnan() for column in columns]).all(0)
        reached = torch.stack([actual[column] == 1 for column in columns[:-1]]).all(0) if len(columns) > 1 else torch.ones_like(known)
        measured.append(Target(label.column, binary, known & reached, predicted[label.column], own))
        if len(columns) > 1:
            product = torch.stack([predicted[column] for column in columns]).prod(0)
            measured.append(Target("_".join(columns), binary, known, product, torch.where(reached, own, 0.0)))
    return measured
