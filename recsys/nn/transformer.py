"""Causal transformer blocks, pre-norm, over sequences of differing lengths without their padding.

B sequences, T tokens of one, M of all, P places of padded groups, D dim, H heads.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recsys.errors import ArgumentError, Fault
from recsys.nn.mlp import Dropout

CPU_GROUP = 8
"""Sequences of similar length that are padded together on a CPU: their attention stays near its caches."""
DEVICE_GROUP = 256
"""The same elsewhere: enough to fill an accelerator."""


class Ragged:
    """How the tokens of B sequences lie end to end, and how to look at them as padded groups where an operation needs that.

    Everything that treats tokens one by one runs on [M, ...], without a single padding token; attention runs on groups of sequences of
    similar length. Padding stands behind a sequence, so that no token of a causal operation sees it.

    Args:
        length: [B] int64 tokens of each sequence, at least 1.

    Example:
        >>> Ragged(torch.tensor([1, 3])).grouped(torch.arange(4.0)[:, None], lambda group: group.cumsum(1)).flatten().tolist()
        [0.0, 1.0, 3.0, 6.0]
    """

    def __init__(self, length: Tensor):
        size = CPU_GROUP if length.device.type == "cpu" else DEVICE_GROUP
        start = length.cumsum(0) - length
        length, order = length.sort(stable=True)
        start = start[order]
        longest = [group[-1] for group in length.split(size)]
        self.groups = [(len(group), int(width)) for group, width in zip(length.split(size), longest)]
        width = torch.stack(longest).repeat_interleave(size)[: len(length)]  # [B] places of each sequence
        sequence = torch.arange(len(length), device=length.device).repeat_interleave(width)  # [P]
        offset = torch.arange(len(sequence), device=length.device) - (width.cumsum(0) - width)[sequence]
        self.token = start[sequence] + offset.minimum(length[sequence] - 1)  # [P] token at each place; the last one fills up
        real = (offset < length[sequence]).nonzero().squeeze(1)
        self.place = torch.empty_like(real)  # [M] place of each token
        self.place[self.token[real]] = real

    def grouped(self, tokens: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """[M, W] tokens through a function of padded groups ([b, t, W] -> [b, t, W']) -> [M, W'].

        A token's value must not depend on tokens behind it.
        """
        places = _Spread.apply(tokens, self.token, self.place).split([rows * width for rows, width in self.groups])
        results = [function(group.view(*shape, -1)).flatten(0, 1) for group, shape in zip(places, self.groups)]
        return _Collect.apply(torch.cat(results), self.place)


class _Spread(torch.autograd.Function):
    """[M, W] tokens -> [P, W] places. What fills up is seen by no token, so that its gradient is 0 and need not be added up."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, token: Tensor, place: Tensor) -> Tensor:
        ctx.save_for_backward(place)
        return tokens.index_select(0, token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (place,) = ctx.saved_tensors
        return gradient.index_select(0, place), None, None


class _Collect(torch.autograd.Function):
    """[P, W] places -> [M, W] tokens."""

    @staticmethod
    def forward(ctx: Any, places: Tensor, place: Tensor) -> Tensor:
        ctx.save_for_backward(place)
        ctx.num_places = len(places)
        return places.index_select(0, place)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (place,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.num_places, gradient.shape[1]).index_copy_(0, place, gradient), None


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
