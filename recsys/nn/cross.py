"""Explicit products of features. B rows, F fields, D embedding dim."""

from torch import Tensor, nn

from recsys.ranges import Count, Natural, require_ranges


class CrossNetwork(nn.Module):
    """Layers x' = x0 * (W x + b) + x over the input x0: after l layers every product of up to l + 1 inputs has a weight.

    DCN-V2: Wang et al., WWW 2021. Stacked before a perceptron, it gives what ReLU layers of that size can only approximate.

    Args:
        layers: number of layers.
        rank: of W = U V^T, to be chosen well below half the width of the input; None = a full matrix.
        in_dim: width of the input and the output.
    """

    def __init__(self, layers: Natural, rank: Count | None, *, in_dim: int):
        super().__init__()
        require_ranges(CrossNetwork, locals())
        self.layers = nn.ModuleList([_map(in_dim, rank) for _ in range(layers)])

    def forward(self, rows: Tensor) -> Tensor:
        """[B, in_dim] -> [B, in_dim]."""
        crossed = rows
        for layer in self.layers:
            crossed = rows * layer(crossed) + crossed
        return crossed


def _map(dim: int, rank: int | None) -> nn.Module:
    return nn.Linear(dim, dim) if rank is None else nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim))


def bi_interaction(fields: Tensor) -> Tensor:
    """Sum over all pairs of fields of their element-wise product: ((sum v)^2 - sum v^2) / 2, in time linear in F.

    Bi-interaction pooling of He & Chua, SIGIR 2017. Its sum over D is the second-order term of a factorization machine (Rendle, 2010).

    Args:
        fields: [B, F, D] embeddings; a zero vector takes no part.
    Returns:
        [B, D]; zero where F is 1.
    """
    return (fields.sum(1).square() - fields.square().sum(1)) / 2
