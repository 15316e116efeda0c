"""Causal transformer blocks, pre-norm. B sequences, T tokens of one, M of all, D dim, H heads."""

import torch.nn.functional as F
from torch import Tensor, nn

from recsys.errors import ArgumentError, Fault
from recsys.nn.dropout import Dropout
from recsys.nn.ragged import Ragged


class CausalAttention(nn.Module):
    """Multi-head attention in which a token sees itself and earlier tokens only (Vaswani et al., 2017).

    No dropout on attention weights: it would rule out the fused kernels, and drawing it was 40 % of a step on a CPU.
    """

    def __init__(self, dim: int, *, heads: int):
        super().__init__()
        if dim % heads:
            raise ArgumentError(Fault(f"heads must divide dim, got dim {dim} and heads {heads}", "heads", f"choose a divisor of {dim}"))
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, ragged: Ragged | None = None) -> Tensor:
        """[B, T, D] -> [B, T, D], or [M, D] -> [M, D] for sequences that lie end to end."""
        projected = self.qkv(tokens)
        return self.out(self._mix(projected) if ragged is None else ragged.grouped(projected, self._mix))

    def _mix(self, projected: Tensor) -> Tensor:
        """Queries, keys and values [B, T, 3 D] -> [B, T, D]."""
        query, key, value = projected.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()  # each [B, H, T, D/H]
        return F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(2)


class Block(nn.Module):
    """Attention, then a two-layer network, each on normalised input and added to its input."""

    def __init__(self, dim: int, *, heads: int, expansion: int, dropout: float):
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = CausalAttention(dim, heads=heads)
        self.network_norm = nn.LayerNorm(dim)
        self.network = nn.Sequential(nn.Linear(dim, expansion * dim), nn.ReLU(), nn.Linear(expansion * dim, dim))
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, ragged: Ragged | None = None) -> Tensor:
        """[B, T, D] -> [B, T, D], or [M, D] -> [M, D] for sequences that lie end to end."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens), ragged))
        return tokens + self.dropout(self.network(self.network_norm(tokens)))
