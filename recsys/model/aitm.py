"""Each label learns from the one it is given, down the funnel. B rows, T heads, D dim of a head's network."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.model.base import Ranker
from recsys.nn.experts import Heads, StackedMLP
from recsys.nn.ranking_input import RankingInput
from recsys.ranges import DropRate, Share, Widths
from recsys.schema import Schema


class AITM(Ranker):
    """Adaptive information transfer multi-task (Xi et al., KDD 2021): for labels that follow one another, the later ones rarer.

    Every head has a network over shared embeddings. A label with `given` attends to two tokens, what its given label passes on and its
    own; labels without `given` and auxiliary heads read their own alone.

    Args:
        tower_hidden: widths of each head's layers.
        dropout: probability after each of them.
        input: partially built from config.
        bias_dropout, schema, heads: as in `Ranker`.
    """

    def __init__(
        self,
        tower_hidden: Widths,
        dropout: DropRate,
        *,
        input: Callable[..., RankingInput],
        bias_dropout: Share,
        schema: Schema,
        heads: tuple[str, ...],
    ):
        super().__init__(bias_dropout, schema=schema, heads=heads)
        self.input = input(schema=schema)
        self.networks = StackedMLP(len(heads), self.input.out_dim, hidden=tower_hidden, dropout=dropout)
        self.steps = [(heads.index(label.column), heads.index(label.given)) for label in schema.labels if label.given is not None]
        self.transfers = nn.ModuleList([_Transfer(self.networks.out_dim) for _ in self.steps])
        self.towers = Heads(len(heads), self.networks.out_dim, hidden=[])

    def raw_outputs(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, T]."""
        states = list(self.networks(self.input(features)).unbind())  # T times [B, D]
        for (at, given), transfer in zip(self.steps, self.transfers, strict=True):  # the given label's state is complete by now
            states[at] = transfer(states[given], states[at])
        return self.towers(torch.stack(states))

    def shared_modules(self) -> list[nn.Module]:
        """Input and networks; without a funnel the input alone; of the transfers those that lead to a label others are given."""
        passed_on = {given for _, given in self.steps}
        passing = [transfer for (at, _), transfer in zip(self.steps, self.transfers, strict=True) if at in passed_on]
        return [self.input, *([self.networks] if self.steps else []), *passing]


class _Transfer(nn.Module):
    """Attention over the message of the given label and the own state, with weights softmax(query * key / sqrt(D))."""

    def __init__(self, dim: int):
        super().__init__()
        self.message = nn.Linear(dim, dim)
        self.projection = nn.Linear(dim, 3 * dim)

    def forward(self, given: Tensor, own: Tensor) -> Tensor:
        """Twice [B, D] -> [B, D]."""
        tokens = torch.stack([F.relu(self.message(given)), own], dim=1)  # [B, 2, D]
        value, query, key = self.projection(tokens).chunk(3, dim=2)
        scores = (query * key).sum(2) / own.shape[1] ** 0.5  # [B, 2]
        return (F.softmax(scores, dim=1)[:, :, None] * value).sum(1)
