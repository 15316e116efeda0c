"""A plain multi-layer perceptron. B rows."""

from collections.abc import Sequence

from torch import Tensor, nn

from recsys.nn.dropout import Dropout


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
