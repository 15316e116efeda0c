"""The sum of the features' embeddings. B rows, D dim."""

from torch import Tensor, nn

from recsys.nn.encoder import ByColumn, Encoder
from recsys.nn.mlp import Dropout
from recsys.ranges import DropRate
from recsys.schema import Feature, Schema
from recsys.tower.base import Tower


class EmbeddingTower(Tower):
    """LightFM's tower (Kula, 2015): with the id as the only feature, two of them are matrix factorisation.

    Args:
        dropout: probability with which an entry of the summed vector is left out in training.
        schema, features, tables, id_dropout: what to read, from `TwoTower`.
        dim: D; parts of another width pass a linear layer without bias.
    """

    def __init__(self, dropout: DropRate, *, schema: Schema, features: tuple[Feature, ...], tables: ByColumn, dim: int, id_dropout: float):
        super().__init__()
        self.encoder = Encoder(schema, features, tables=tables, id_dropout=id_dropout)
        self.projections = ByColumn(
            {column: nn.Linear(width, dim, bias=False) for column, width in self.encoder.widths.items() if width != dim}
        )
        for projection in self.projections.values():  # a projected part starts as large as an embedding
            nn.init.normal_(projection.weight, std=(dim * projection.in_features) ** -0.5)
        self.dropout = Dropout(dropout)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, D]."""
        parts = {column: part(features[column]) for column, part in self.encoder.parts.items()}
        return self.dropout(sum(self.projections[column](part) if column in self.projections else part for column, part in parts.items()))
