"""A causal transformer over the user's history. B rows, L history length, T = L + 1 tokens, D dim."""

import torch
from torch import Tensor, nn

from recsys.errors import ConfigError, Fault
from recsys.nn.dropout import Dropout
from recsys.nn.encoder import Encoder
from recsys.nn.transformer import Block
from recsys.schema import PAD, Feature, History, Schema
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

    trains_every_position = True

    def __init__(
        self,
        blocks: int,
        heads: int,
        expansion: int,
        dropout: float,
        *,
        schema: Schema,
        features: tuple[Feature, ...],
        tables: nn.ModuleDict,
        dim: int,
        id_dropout: float,
    ):
        super().__init__()
        histories = [feature for feature in features if isinstance(feature, History)]
        if not histories:
            raise ConfigError(
                Fault("the sequence tower needs a History feature, got none", "data.features", "add one, or set tower@model.user=mlp")
            )
        lengths = {feature.max_len for feature in histories}
        if len(lengths) > 1:
            raise ConfigError(
                Fault(f"histories of one tower need one max_len, got {sorted(lengths)}", "data.features", "set the same max_len")
            )
        self.max_len = lengths.pop()
        self.history_columns = [feature.column for feature in histories]
        self.history_tables = nn.ModuleDict({feature.column: tables[schema.table(feature.column)] for feature in histories})
        widths = {table.embedding_dim for table in self.history_tables.values()}
        if widths != {dim}:
            fault = f"the sequence tower needs embedding_dim equal to dim, got {sorted(widths)} and {dim}"
            raise ConfigError(Fault(fault, "model.embedding_dim", f"set model.embedding_dim={dim}"))
        side = tuple(feature for feature in features if not isinstance(feature, History))
        self.encoder = Encoder(schema, side, tables, id_dropout=id_dropout) if side else None
        self.side = nn.Linear(self.encoder.out_dim, dim) if self.encoder else None
        self.start = nn.Parameter(torch.zeros(dim))
        self.positions = nn.Parameter(torch.randn(self.max_len + 1, dim) * 0.02)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, heads=heads, expansion=expansion, dropout=dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, D], having seen the whole history."""
        length = (features[self.history_columns[0]] != PAD).sum(1)  # [B]
        states = self._states(features, drop_last=0)  # [B, L + 1, D]
        return states.gather(1, length[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)

    def every_position(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, L, D]: position t has seen the first t items of the history."""
        return self._states(features, drop_last=1)

    def _states(self, features: dict[str, Tensor], drop_last: int) -> Tensor:
        items = 0
        for column in self.history_columns:
            index = features[column]
            items = items + self.history_tables[column](index[:, : index.shape[1] - drop_last])  # [B, L, D]
        start = self.start.expand(items.shape[0], -1)
        if self.encoder is not None:
            start = start + self.side(self.encoder(features))
        tokens = torch.cat([start[:, None], items], dim=1)  # [B, T, D]
        tokens = self.dropout(tokens + self.positions[: tokens.shape[1]])
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)
