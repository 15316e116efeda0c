"""Encoded features through a multi-layer perceptron. B rows, D dim."""

from torch import Tensor

from recsys.nn.encoder import ByColumn, Encoder
from recsys.nn.mlp import MLP
from recsys.ranges import DropRate, Widths
from recsys.schema import Feature, Schema
from recsys.tower.base import Tower


class MLPTower(Tower):
    """The deep structured semantic model's tower (Huang et al., CIKM 2013): ids and side features together.

    A History is the mean of its items' embeddings, as in Covington et al., RecSys 2016.

    Args:
        hidden: widths of the hidden layers.
        dropout: probability after each hidden layer.
        schema, features, tables, id_dropout: what to read, from `TwoTower`.
        dim: D.
    """

    def __init__(
        self,
        hidden: Widths,
        dropout: DropRate,
        *,
        schema: Schema,
        features: tuple[Feature, ...],
        tables: ByColumn,
        dim: int,
        id_dropout: float,
    ):
        super().__init__()
        self.encoder = Encoder(schema, features, tables=tables, id_dropout=id_dropout)
        self.mlp = MLP(self.encoder.out_dim, hidden, out_dim=dim, dropout=dropout)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, D]."""
        return self.mlp(self.encoder(features))
