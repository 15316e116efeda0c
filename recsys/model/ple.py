"""Experts of each head beside shared ones, level over level. B rows, T heads, S = T + 1 streams, E experts of a level, D dim."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.model.base import Ranker
from recsys.nn.experts import Heads, StackedLinear, StackedMLP
from recsys.nn.ranking_input import RankingInput
from recsys.ranges import Count, DropRate, Natural, Share, Widths, require_ranges
from recsys.schema import Schema


class PLE(Ranker):
    """Progressive layered extraction (Tang et al., RecSys 2020): what a head needs for itself need not pass through shared experts.

    There is a stream per head and a shared one. At each level a head's gate mixes its own and the shared experts, and the shared
    gate mixes all; the experts of the next level read the stream they belong to. One level is customized gate control (CGC).

    Args:
        num_shared_experts, num_own_experts: of each level; own ones are per head.
        expert_hidden: widths of each expert's layers, at every level.
        levels: number of levels.
        tower_hidden: widths of the hidden layers of each head.
        dropout: probability after each of these layers.
        input: partially built from config.
        bias_dropout, schema, heads: as in `Ranker`.
    """

    def __init__(
        self,
        num_shared_experts: Natural,
        num_own_experts: Natural,
        *,
        expert_hidden: Widths,
        levels: Count,
        tower_hidden: Widths,
        dropout: DropRate,
        input: Callable[..., RankingInput],
        bias_dropout: Share,
        schema: Schema,
        heads: tuple[str, ...],
    ):
        super().__init__(bias_dropout, schema=schema, heads=heads)
        require_ranges(PLE, locals())
        self.input = input(schema=schema)
        owners = torch.tensor([stream for stream in range(len(heads)) for _ in range(num_own_experts)] + [len(heads)] * num_shared_experts)
        dim = self.input.out_dim
        stack: list[_Level] = []
        for level in range(levels):
            stack.append(_Level(dim, owners, num_heads=len(heads), hidden=expert_hidden, dropout=dropout, last=level == levels - 1))
            dim = stack[-1].experts.out_dim
        self.levels = nn.ModuleList(stack)
        self.towers = Heads(len(heads), dim, hidden=tower_hidden, dropout=dropout)

    def raw_outputs(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, T]."""
        streams = self.input(features)
        for level in self.levels:
            streams = level(streams)
        return self.towers(streams)

    def shared_modules(self) -> list[nn.Module]:
        """All but the towers and the gates of the last level; before that, a head's own experts reach the others' shared stream."""
        experts, gates = ([level.get_submodule(part) for level in self.levels] for part in ("experts", "gates"))
        return [self.input, *experts, *gates[:-1]]


class _Level(nn.Module):
    """Experts and gates of one level.

    Args:
        in_dim: width of the streams.
        owners: [E] int64 stream that each expert belongs to; num_heads = the shared one.
        last: there is no shared stream after it.
    """

    owners: Tensor
    hidden_from: Tensor

    def __init__(self, in_dim: int, owners: Tensor, *, num_heads: int, hidden: Sequence[int], dropout: DropRate, last: bool):
        super().__init__()
        self.experts = StackedMLP(len(owners), in_dim, hidden=hidden, dropout=dropout)
        self.num_gates = num_heads if last else num_heads + 1
        self.gates = StackedLinear(self.num_gates, in_dim, out_dim=len(owners))
        gate = torch.arange(self.num_gates)[:, None]
        self.register_buffer("owners", owners)
        self.register_buffer("hidden_from", (owners != gate) & (owners != num_heads) & (gate != num_heads))  # [S or T, E]

    def forward(self, streams: Tensor) -> Tensor:
        """[S, B, in_dim], or at the first level [B, in_dim] that all start from -> [S, B, D], of the last level [T, B, D]."""
        first = streams.dim() == 2
        outputs = self.experts(streams if first else streams[self.owners])  # [E, B, D]
        logits = self.gates(streams if first else streams[: self.num_gates])  # [S or T, B, E]
        weights = F.softmax(logits.masked_fill(self.hidden_from[:, None], float("-inf")), dim=2)
        return torch.einsum("sbe,ebd->sbd", weights, outputs)
