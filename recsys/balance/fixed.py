"""Losses added up with weights from the config. T labels."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from recsys.balance.base import Balance
from recsys.errors import ArgumentError, Fault
from recsys.ranges import NonNegative, range_faults
from recsys.schema import nearest


class Fixed(Balance):
    """sum of w_i L_i.

    Args:
        weights: {label: weight >= 0}; 1 where none is named.
        labels: names of the losses.

    Raises:
        ArgumentError: a weight is negative or of no label.
    """

    weight: Tensor

    def __init__(self, weights: dict[str, NonNegative], *, labels: tuple[str, ...]):
        super().__init__(labels=labels)
        faults = [*_faults(weights, labels), *range_faults(Fixed, locals())]
        if faults:
            raise ArgumentError(*faults)
        self.register_buffer("weight", torch.tensor([weights.get(label, 1.0) for label in labels]), persistent=False)

    def forward(self, losses: dict[str, Tensor], shared: list[nn.Parameter]) -> Tensor:
        """Weighted sum; see `Balance.forward`."""
        weighted = self.weight * torch.stack([losses[label] for label in self.labels])  # [T]
        self.telemetry = self.shares(weighted)
        return weighted.sum()


def _faults(weights: dict[str, float], labels: tuple[str, ...]) -> Iterator[Fault]:
    for label in weights:
        if label not in labels:
            what = f"weights names '{label}', which is no label{nearest(label, labels)}"
            yield Fault(what, f"weights.{label}", f"use one of {list(labels)}")
