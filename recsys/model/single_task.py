"""A model of its own for each head. B rows, T heads."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recsys.model.base import Ranker
from recsys.nn.mlp import MLP
from recsys.nn.ranking_input import RankingInput
from recsys.ranges import DropRate, Share, Widths
from recsys.schema import Schema


class SingleTask(Ranker):
    """Nothing is shared, embeddings included: what multi-task models have to beat, label by label.

    Args:
        hidden: widths of the hidden layers of each head's network.
        dropout: probability after each hidden layer.
        input: partially built from config; built once per head.
        bias_dropout, schema, heads: as in `Ranker`.
    """

    def __init__(
        self,
        hidden: Widths,
        dropout: DropRate,
        *,
        input: Callable[..., RankingInput],
        bias_dropout: Share,
        schema: Schema,
        heads: tuple[str, ...],
    ):
        super().__init__(bias_dropout, schema=schema, heads=heads)
        inputs = [input(schema=schema) for _ in heads]
        self.inputs = nn.ModuleList(inputs)
        self.networks = nn.ModuleList([MLP(rows.out_dim, hidden, out_dim=1, dropout=dropout) for rows in inputs])

    def raw_outputs(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, T]."""
        return torch.cat([network(rows(features)) for rows, network in zip(self.inputs, self.networks, strict=True)], dim=1)

    def shared_modules(self) -> list[nn.Module]:
        """None."""
        return []
