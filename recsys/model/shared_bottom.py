"""One network under the networks of all heads. B rows, T heads, D dim of the bottom."""

from collections.abc import Callable

from torch import Tensor, nn

from recsys.model.base import Ranker
from recsys.nn.experts import Heads, StackedMLP
from recsys.nn.ranking_input import RankingInput
from recsys.ranges import DropRate, Share, Widths
from recsys.schema import Schema


class SharedBottom(Ranker):
    """Hard parameter sharing (Caruana, 1997): right where labels have much in common; others pull the bottom apart.

    Args:
        bottom_hidden: widths of the shared layers.
        tower_hidden: widths of the hidden layers of each head.
        dropout: probability after each of these layers.
        input: partially built from config.
        bias_dropout, schema, heads: as in `Ranker`.
    """

    def __init__(
        self,
        bottom_hidden: Widths,
        tower_hidden: Widths,
        *,
        dropout: DropRate,
        input: Callable[..., RankingInput],
        bias_dropout: Share,
        schema: Schema,
        heads: tuple[str, ...],
    ):
        super().__init__(bias_dropout, schema=schema, heads=heads)
        self.input = input(schema=schema)
        self.bottom = StackedMLP(1, self.input.out_dim, hidden=bottom_hidden, dropout=dropout)
        self.towers = Heads(len(heads), self.bottom.out_dim, hidden=tower_hidden, dropout=dropout)

    def raw_outputs(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, T]."""
        return self.towers(self.bottom(self.input(features))[0])  # [B, D] -> [B, T]

    def shared_modules(self) -> list[nn.Module]:
        """All below the heads."""
        return [self.input, self.bottom]
