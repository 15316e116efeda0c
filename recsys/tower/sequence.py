"""A causal transformer over the user's history. B rows, L history length, T = L + 1 tokens, Q positions of all rows, D dim."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.errors import ConfigError, Fault
from recsys.nn.encoder import ByColumn, Encoder
from recsys.nn.mlp import Dropout
from recsys.nn.transformer import Block, Ragged
from recsys.ranges import Count, DropRate
from recsys.schema import PAD, Feature, Schema
from recsys.schema.kind.history import histories
from recsys.tower.base import Tower


class SequenceTower(Tower):
    """Self-attentive sequential tower (SASRec: Kang & McAuley, ICDM 2018), pre-norm, with the user's side features.

    Token 0 holds the user's side features (a learned start vector without any), token t the t-th item of the history; the vector at
    token t has seen exactly t items, so an empty history has an answer and one pass gives a query at every position.

    Args:
        blocks: number of transformer blocks.
        heads: attention heads, a divisor of dim.
        expansion: width of a block's inner layer, in multiples of dim.
        dropout: probability on tokens and block outputs.
        schema, features, tables, id_dropout: what to read, from `TwoTower`; histories must be of one length.
        dim: D; must equal the embedding dim.
    """

    def __init__(
        self,
        blocks: Count,
        heads: Count,
        expansion: Count,
        dropout: DropRate,
        *,
        schema: Schema,
        features: tuple[Feature, ...],
        tables: ByColumn[nn.Embedding],
        dim: int,
        id_dropout: float,
    ):
        super().__init__()
        listed = histories(features)
        if not listed:
            raise ConfigError(
                Fault("the sequence tower needs a History feature, got none", "data.features", "add one, or set tower@model.user=mlp")
            )
        lengths = {feature.max_len for feature in listed}
        if len(lengths) > 1:
            raise ConfigError(
                Fault(f"histories of one tower need one max_len, got {sorted(lengths)}", "data.features", "set the same max_len")
            )
        max_len = lengths.pop()
        self.window = max_len + 1  # the last event is the positive of the query that has seen max_len
        self.history_columns = [feature.column for feature in listed]
        self.history_tables = ByColumn({feature.column: tables[schema.table(feature.column)] for feature in listed})
        widths = {table.embedding_dim for table in self.history_tables.values()}
        if widths != {dim}:
            fault = f"the sequence tower needs embedding_dim equal to dim, got {sorted(widths)} and {dim}"
            raise ConfigError(Fault(fault, "model.embedding_dim", f"set model.embedding_dim={dim}"))
        side = tuple(feature for feature in features if feature not in listed)
        self.encoder = Encoder(schema, side, tables=tables, id_dropout=id_dropout) if side else None
        self.side = nn.Linear(self.encoder.out_dim, dim) if self.encoder else None
        self.start = nn.Parameter(torch.zeros(dim))
        self.positions = nn.Parameter(torch.randn(max_len + 1, dim) * 0.02)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, heads=heads, expansion=expansion, dropout=dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, D], having seen the whole history."""
        histories = [features[column] for column in self.history_columns]
        items = sum(table(index) for table, index in zip(self.history_tables.values(), histories))  # [B, L, D]
        tokens = torch.cat([self._starts(features)[:, None], items], dim=1)  # [B, L + 1, D]
        states = self._states(tokens + self.positions[: tokens.shape[1]])
        length = (histories[0] != PAD).sum(1)  # [B]
        return states.gather(1, length[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)

    def every_position(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [Q, D]; see `Tower.every_position`."""
        histories = [features[column] for column in self.history_columns]
        real = histories[0] != PAD  # [B, L]
        position = real.nonzero()[:, 1]  # [Q]
        seen = [F.pad(index, (1, -1))[real] for index in histories]  # each [Q], the item before; PAD at position 0
        items = sum(table(index) for table, index in zip(self.history_tables.values(), seen))  # [Q, D]
        first = (position == 0).nonzero().squeeze(1)
        tokens = (items + F.embedding(position, self.positions)).index_add(0, first, self._starts(features)[real[:, 0]])
        length = real.sum(1)
        return self._states(tokens, Ragged(length[length > 0]))

    def _starts(self, features: dict[str, Tensor]) -> Tensor:
        """[B, D] token 0 of each row, without its position."""
        if self.encoder is None or self.side is None:
            return self.start.expand(len(features[self.history_columns[0]]), -1)
        return self.start + self.side(self.encoder(features))

    def _states(self, tokens: Tensor, ragged: Ragged | None = None) -> Tensor:
        # float32 on a CPU, whose small products and fused attention take up to twice as long in bfloat16
        with torch.autocast("cpu", enabled=False):
            tokens = self.dropout(tokens.to(self.start.dtype))
            for block in self.blocks:
                tokens = block(tokens, ragged)
            return self.norm(tokens)
