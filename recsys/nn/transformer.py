"""Causal transformer blocks, pre-norm. B rows, T tokens, D dim, H heads."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.errors import ConfigError, Fault
from recsys.nn.dropout import Dropout


class CausalAttention(nn.Module):
    """Multi-head attention in which a token sees itself and earlier tokens only (Vaswani et al., 2017).

    No dropout on attention weights: it would rule out the fused kernels, and drawing it was 40 % of a step on a CPU.
    """

    def __init__(self, dim: int, *, heads: int):
        super().__init__()
        if dim % heads:
            raise ConfigError(
                Fault(f"heads must divide dim, got dim {dim} and heads {heads}", "model.user.heads", f"choose a divisor of {dim}")
            )
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        heads = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [3, B, H, T, D/H]
        if heads.device.type == "cpu":
            mixed = _in_float32(heads)
        else:
            mixed = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


def _in_float32(heads: Tensor) -> Tensor:
    """Attention of [3, B, H, T, D/H] in float32: the CPU's fused kernel is twice as slow backwards in bfloat16."""
    with torch.autocast("cpu", enabled=False):
        query, key, value = heads.float()
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)


class Block(nn.Module):
    """Attention, then a two-layer network, each on normalised input and added to its input."""

    def __init__(self, dim: int, *, heads: int, expansion: int, dropout: float):
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = CausalAttention(dim, heads=heads)
        self.network_norm = nn.LayerNorm(dim)
        self.network = nn.Sequential(nn.Linear(dim, expansion * dim), nn.ReLU(), nn.Linear(expansion * dim, dim))
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens)))
        return tokens + self.dropout(self.network(self.network_norm(tokens)))
