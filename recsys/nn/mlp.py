"""A plain multi-layer perceptron, and dropout whose mask costs one random byte an entry. B rows."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.ranges import DropRate, require_ranges

LEVELS = 256
"""A random byte has this many values; the probability is rounded to a multiple of 1 / LEVELS."""


class Dropout(nn.Module):
    """Sets entries to zero with probability p in training and scales the others by 1 / (1 - p) (Srivastava et al., 2014).

    torch draws a full random number for each entry, one after the other on a CPU. Here one 64-bit draw
    serves eight entries, with the probability rounded to 1/256 and the scale to match. On other devices it is torch's own dropout.

    Args:
        dropout: probability of leaving an entry out, in [0, 1).
    """

    def __init__(self, dropout: DropRate):
        super().__init__()
        require_ranges(Dropout, locals())
        self.p = dropout
        self.cut = round(dropout * LEVELS)

    def forward(self, values: Tensor) -> Tensor:
        """Any shape in, the same out."""
        if not self.training or self.cut == 0:
            return values
        if values.device.type != "cpu":
            return F.dropout(values, self.p)
        draws = torch.empty((values.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        factor = torch.empty_like(values)  # 0 or the scale, in the values' dtype: a product of two dtypes takes twice as long
        torch.ge(draws.view(torch.uint8)[: values.numel()].view(values.shape), self.cut, out=factor)
        return values * factor.mul_(LEVELS / (LEVELS - self.cut))


class MLP(nn.Module):
    """Linear, ReLU and dropout per hidden layer, then a linear layer without activation.

    Args:
        in_dim: width of the input.
        hidden: widths of the hidden layers; empty = the last linear layer alone.
        out_dim: width of the output.
        dropout: probability after each hidden layer, in [0, 1).
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], *, out_dim: int, dropout: float = 0.0):
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(in_dim, width), nn.ReLU(), Dropout(dropout)]
            in_dim = width
        self.layers = nn.Sequential(*layers, nn.Linear(in_dim, out_dim))

    def forward(self, rows: Tensor) -> Tensor:
        """[B, in_dim] -> [B, out_dim]."""
        return self.layers(rows)
