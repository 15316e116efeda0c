"""Sums of the embeddings of lists, and their gradient. B lists, L list length, V rows of a table, D embedding dim."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys.schema import PAD


class SumOfEmbeddings(torch.autograd.Function):
    """Sum over each list of its entries' embeddings, for training.

    `table(index).sum(1)` writes B x L x D numbers forwards and scatters as many backwards. Here neither exists: the gradient of a
    row of the table is the sum over the lists that hold it, which is the same operation on the transposed lists. Forward and backward
    for [4096, 50] entries of D = 64 on a CPU: 7 ms instead of 71 on one thread.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        """[V, D] table whose padding row is zero, [B, L] int64 index -> [B, D]."""
        ctx.save_for_backward(index)
        ctx.num_rows = len(table)
        return F.embedding_bag(index, table, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """[B, D] -> [V, D]; nothing for the padding row."""
        (index,) = ctx.saved_tensors
        entries = index.flatten()
        ordered, order = entries.int().sort(stable=True)  # int32: twice as fast to sort as int64
        lists = order // index.shape[1]  # [B * L] list of each entry, by table row
        first = _first_by_count if entries.device.type == "cpu" else _first_by_search
        summed = F.embedding_bag(lists, gradient.contiguous(), first(ordered, ctx.num_rows), mode="sum")
        summed[PAD] = 0
        return summed, None


def _first_by_count(ordered: Tensor, num_rows: int) -> Tensor:
    """Place of the first entry of each table row [V] int64, among ascending entries; for a CPU."""
    count = torch.bincount(ordered, minlength=num_rows)
    return count.cumsum(0) - count


def _first_by_search(ordered: Tensor, num_rows: int) -> Tensor:
    """The same elsewhere: nothing has to be read back, as bincount reads the largest entry. On a CPU up to four times as slow."""
    return torch.searchsorted(ordered, torch.arange(num_rows, dtype=ordered.dtype, device=ordered.device))
