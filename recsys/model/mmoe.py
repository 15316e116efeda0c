"""Experts that all heads share, mixed by a gate per head. B rows, T heads, E experts, D dim of an expert."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.model.base import Ranker
from recsys.nn.experts import Heads, StackedLinear, StackedMLP
from recsys.nn.ranking_input import RankingInput
from recsys.ranges import Count, DropRate, Share, Widths
from recsys.schema import Schema


class MMoE(Ranker):
    """Multi-gate mixture of experts (Ma et al., KDD 2018): each head reads its own softmax-weighted mean of the experts.

    The weights depend on the row, so labels that have little in common can rely on different experts.

    Args:
        num_experts: E.
        expert_hidden: widths of each expert's layers.
        tower_hidden: widths of the hidden layers of each head.
        dropout: probability after each of these layers.
        input: partially built from config.
        bias_dropout, schema, heads: as in `Ranker`.
    """

    def __init__(
        self,
        num_experts: Count,
        expert_hidden: Widths,
        *,
        tower_hidden: Widths,
        dropout: DropRate,
        input: Callable[..., RankingInput],
        bias_dropout: Share,
        schema: Schema,
        heads: tuple[str, ...],
    ):
        super().__init__(bias_dropout, schema=schema, heads=heads)
        self.input = input(schema=schema)
        self.experts = StackedMLP(num_experts, self.input.out_dim, hidden=expert_hidden, dropout=dropout)
        self.gates = StackedLinear(len(heads), self.input.out_dim, out_dim=num_experts)
        self.towers = Heads(len(heads), self.experts.out_dim, hidden=tower_hidden, dropout=dropout)

    def raw_outputs(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, T]."""
        rows = self.input(features)
        weights = F.softmax(self.gates(rows), dim=2)  # [T, B, E]
        return self.towers(torch.einsum("tbe,ebd->tbd", weights, self.experts(rows)))

    def shared_modules(self) -> list[nn.Module]:
        """All but gates and towers."""
        return [self.input, self.experts]
