"""Which rows a label is measured on, and what is predicted there: labels alone, and down their funnel. N rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys.schema import Label, chains


@dataclass(frozen=True)
class Target:
    """Something to predict: a label where the one it is given is 1, or a whole funnel such as click and conversion over all rows.

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
