"""Networks of equal shape side by side, computed as one batched product per layer. N networks, B rows, T heads."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recsys.errors import ArgumentError, Fault
from recsys.nn.mlp import Dropout


class StackedLinear(nn.Module):
    """N independent linear layers; weights and biases start in the distribution of `nn.Linear`.

    Args:
        num: N.
        in_dim, out_dim: widths of each layer.
    """

    def __init__(self, num: int, in_dim: int, *, out_dim: int):
        super().__init__()
        self.num = num
        self.out_dim = out_dim
        bound = in_dim**-0.5
        self.weight = nn.Parameter(torch.empty(num, out_dim, in_dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num, out_dim).uniform_(-bound, bound))

    def forward(self, rows: Tensor) -> Tensor:
        """The same [B, in_dim] for each layer, or [N, B, in_dim] with each layer its own -> [N, B, out_dim]."""
        return torch.baddbmm(self.bias[:, None], rows.expand(self.num, -1, -1), self.weight.mT)


class StackedMLP(nn.Module):
    """N independent perceptrons of equal widths: linear, ReLU and dropout per layer, the last one included.

    Args:
        num: N.
        in_dim: width of the input.
        hidden: widths of the layers; empty = each returns its input.
        dropout: probability after each layer, in [0, 1).
    """

    def __init__(self, num: int, in_dim: int, *, hidden: Sequence[int], dropout: float = 0.0):
        super().__init__()
        if num < 1:
            raise ArgumentError(Fault("there is no expert", "num_experts or num_shared_experts", "choose 1 or more"))
        self.num = num
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [StackedLinear(num, in_dim, out_dim=width), nn.ReLU(inplace=True), Dropout(dropout)]
            in_dim = width
        self.layers = nn.Sequential(*layers)
        self.out_dim = in_dim

    def forward(self, rows: Tensor) -> Tensor:
        """The same [B, in_dim] for each network, or [N, B, in_dim] with each its own -> [N, B, out_dim]."""
        rows = self.layers(rows)
        return rows if rows.dim() == 3 else rows.expand(self.num, -1, -1)


class Heads(nn.Module):
    """One network per head down to one number: hidden layers with ReLU and dropout, then a linear layer.

    Args:
        num: T.
        in_dim: width of the input.
        hidden: widths of the hidden layers; empty = the linear layer alone.
        dropout: probability after each hidden layer, in [0, 1).
    """

    def __init__(self, num: int, in_dim: int, *, hidden: Sequence[int], dropout: float = 0.0):
        super().__init__()
        self.hidden = StackedMLP(num, in_dim, hidden=hidden, dropout=dropout)
        self.last = StackedLinear(num, self.hidden.out_dim, out_dim=1)

    def forward(self, rows: Tensor) -> Tensor:
        """The same [B, in_dim] for each head, or [T, B, in_dim] with each its own -> [B, T]."""
        return self.last(self.hidden(rows))[..., 0].T
