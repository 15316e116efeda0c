"""Effect of an impression's place on its labels, whatever item stood there. B rows, T outputs."""

from functools import reduce

import torch
from torch import Tensor, nn

from recsys.schema import UNKNOWN, Schema


class PositionBias(nn.Module):
    """One number per output and value of each bias column (position, page, ...), added up; it starts at zero.

    The shallow tower of Zhao et al., RecSys 2019: clicks that the place explains are not credited to the item. When serving, the
    place is not known yet and every row gets the number of the unknown value; a share of training rows gets it too, so that it
    becomes the average effect and probabilities stay calibrated.

    Args:
        schema: fitted schema.
        num_outputs: T.
        dropout: share of training rows whose bias columns are all taken for unknown, in [0, 1).
    """

    def __init__(self, schema: Schema, num_outputs: int, *, dropout: float):
        super().__init__()
        self.columns = tuple(feature.column for feature in schema.of("bias"))
        tables = [nn.Embedding(schema.statistics[column].size, num_outputs) for column in self.columns]
        self.tables = nn.ModuleList(tables)
        self.dropout = dropout
        for table in tables:
            nn.init.zeros_(table.weight)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] int64} -> [B, T], or [1, T] where no bias column is there: an absent one counts as unknown."""
        known = {column: features[column] for column in self.columns if column in features}
        if self.training and self.dropout > 0 and known:
            first = next(iter(known.values()))
            forgotten = torch.rand(first.shape, device=first.device) < self.dropout  # [B], the same rows for all columns
            known = {column: index.masked_fill(forgotten, UNKNOWN) for column, index in known.items()}
        effects = [
            table(known[column]) if column in known else table.get_parameter("weight")[UNKNOWN, None]  # [B, T] or [1, T]
            for column, table in zip(self.columns, self.tables, strict=True)
        ]
        return reduce(torch.add, effects)
