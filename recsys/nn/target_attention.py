"""Pools a history with weights that depend on the row's item. B rows, L history length, D dim, H first hidden width."""

import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.mlp import MLP
from recsys.ranges import Widths


class TargetAttention(nn.Module):
    """Sum of the entries h, each times a weight that a perceptron reads off [h, t, h - t, h * t], with t the target.

    DIN: Zhou et al., KDD 2018. The weights are not normalised, as there: their sum says how much of the history speaks for the target.

    Args:
        hidden: widths of the perceptron's hidden layers.
        dim: D of entries and target.
    """

    def __init__(self, hidden: Widths, *, dim: int):
        super().__init__()
        self.mlp = MLP(4 * dim, hidden, out_dim=1)

    def forward(self, target: Tensor, history: Tensor, real: Tensor) -> Tensor:
        """Pool each row's history.

        Args:
            target: [B, D].
            history: [B, L, D].
            real: [B, L] bool, False for padding.
        Returns:
            [B, D]; zeros for an empty history.
        """
        first, *rest = self.mlp.layers
        of_entry, of_target, of_difference, of_product = first.get_parameter("weight").chunk(4, dim=1)  # each [H, D]
        # the first layer is linear: its part of t is done once per row, and [B, L, 4 D] never exists
        logits = F.linear(history, of_entry + of_difference) + F.linear(history * target[:, None], of_product)  # [B, L, H]
        logits = logits + F.linear(target, of_target - of_difference, first.get_parameter("bias"))[:, None]
        for layer in rest:
            logits = layer(logits)
        weights = logits[..., 0].masked_fill(~real, 0)  # [B, L]
        return (weights[:, None] @ history)[:, 0]
