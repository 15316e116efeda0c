"""A softmax loss and its gradients in one pass over chunks of queries. Q queries, C of a chunk, N candidates, D dim, E pairs."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys.loss.base import check_shapes, normalized

CPU_CHUNK_BYTES = 4 << 20
"""Float32 logits of one chunk on a CPU: what stays in its caches from one operation to the next."""
DEVICE_CHUNK_BYTES = 256 << 20
"""The same elsewhere: enough to fill an accelerator."""
MIN_CHUNK_ROWS = 64
"""Queries of a chunk at least; fewer make the matrix products inefficient."""
EMPTY_SUM = 1e-30
"""Stands for a sum without terms. Any other is at least 1, the term of the largest logit."""


class _Rule(NamedTuple):
    exponent: float
    positive_competes: bool
    matmul_dtype: torch.dtype
    chunk_rows: int


def fused_softmax(
    users: Tensor,
    items: Tensor,
    positive_at: Tensor,
    *,
    temperature: Tensor | float,
    log_q: Tensor,
    positive_log_q: Tensor,
    known: Tensor | None,
    weight: Tensor,
    exponent: float,
    positive_competes: bool,
    chunk_rows: int | None = None,
) -> Tensor:
    """Weighted mean over queries of exponent * log(sum of exp(logits)) - logit of the positive.

    The loss is a scalar, so a chunk's gradients are known, up to one factor, as soon as its softmax is: they are taken there and
    then, and backward only multiplies by that factor. Three matrix products and one softmax in all, and no matrix larger than a
    chunk; the idea is that of Liger Kernel and Cut Cross-Entropy. Matrix products are in bfloat16 under autocast and for 16-bit
    vectors; exponentials, and sums over chunks, in float32.

    Args:
        users: [Q, D] query vectors.
        items: [N, D] candidate vectors.
        positive_at: [Q] int64, column of each query's positive.
        temperature: divides the scores; gets its gradient through the users.
        log_q: [N], subtracted from the logits of negatives.
        positive_log_q: [Q], subtracted from the logits of positives.
        known: [2, E] int64 pairs (query, column) left out of the sums, sorted by query; None = none.
        weight: [Q], 0 leaves a query out.
        exponent: power of the sum.
        positive_competes: whether the positive is part of the sum. The log of a sum without terms counts as 0.
        chunk_rows: C; None = what suits the device.
    Returns:
        Scalar float32 (float64 for float64 vectors). Differentiable once, by users, items and temperature.
    """
    check_shapes(users, items, positive_at=positive_at, log_q=log_q)
    dtype = torch.promote_types(users.dtype, torch.float32)
    device = users.device.type
    narrow = torch.is_autocast_enabled(device) or users.dtype.itemsize == 2
    if chunk_rows is None:
        chunk_bytes = CPU_CHUNK_BYTES if device == "cpu" else DEVICE_CHUNK_BYTES
        chunk_rows = max(MIN_CHUNK_ROWS, chunk_bytes // (4 * len(items)))
    rule = _Rule(exponent, positive_competes, torch.bfloat16 if narrow else dtype, min(chunk_rows, len(users)))
    scaled = users.to(dtype) / temperature
    share = normalized(weight.to(dtype))
    with torch.autocast(device, enabled=False):
        return _FusedSoftmax.apply(scaled, items.to(dtype), positive_at, log_q.to(dtype), positive_log_q.to(dtype), known, share, rule)


class _FusedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, users, items, positive_at, log_q, positive_log_q, known, weight, rule):
        with_gradient = any(ctx.needs_input_grad)
        users_m, items_m = users.to(rule.matmul_dtype), items.to(rule.matmul_dtype)
        logits_buffer = users.new_empty(rule.chunk_rows, len(items))
        product_buffer = logits_buffer.to(rule.matmul_dtype)  # the same memory where products are not narrower
        narrow = product_buffer is not logits_buffer
        losses = torch.empty_like(weight)
        grad_users, grad_items = torch.zeros_like(users), torch.zeros_like(items)
        cuts = _cuts(known, len(users), rule.chunk_rows)
        for chunk, start in enumerate(range(0, len(users), rule.chunk_rows)):
            rows = slice(start, min(start + rule.chunk_rows, len(users)))
            size = rows.stop - start
            logits, product = logits_buffer[:size], product_buffer[:size]  # [C, N]
            torch.mm(users_m[rows], items_m.T, out=product)
            if narrow:
                logits.copy_(product)
            at = positive_at[rows, None]
            positive = logits.gather(1, at) - positive_log_q[rows, None]  # [C, 1]
            logits.sub_(log_q)
            if known is not None:
                query, column = known[:, cuts[chunk] : cuts[chunk + 1]]
                # flat: ten times as fast on a CPU as two indices
                logits.view(-1).index_fill_(0, (query - start) * len(items) + column, -torch.inf)
            logits.scatter_(1, at, positive if rule.positive_competes else torch.full_like(positive, -torch.inf))
            log_sum, total = _exponentiate(logits)
            losses[rows] = (rule.exponent * log_sum - positive).squeeze(1)
            if with_gradient:
                # d loss / d logits = factor * (logits - total / exponent at the positive)
                factor = weight[rows, None] * rule.exponent / total
                logits.scatter_add_(1, at, -total / rule.exponent)
                weighted = (users[rows] * factor).to(product.dtype)
                if narrow:
                    product.copy_(logits)
                    grad_items += torch.mm(product.T, weighted)
                else:
                    grad_items.addmm_(product.T, weighted)
                torch.mul(torch.mm(product, items_m), factor, out=grad_users[rows])
        ctx.save_for_backward(grad_users, grad_items)
        return (losses * weight).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss):
        grad_users, grad_items = ctx.saved_tensors
        return grad_users * grad_loss, grad_items * grad_loss, *[None] * 6


def _exponentiate(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Turns logits [C, N] into exp(logits - largest of the row), in place.

    Returns:
        [C, 1] log of the sum of exp(logits), 0 where there is none, and [C, 1] sum of the new values.
    """
    top = logits.amax(dim=1, keepdim=True)
    empty = top == -torch.inf
    logits.sub_(top.masked_fill(empty, 0.0)).exp_()
    total = logits.sum(dim=1, keepdim=True).clamp_min_(EMPTY_SUM)
    return (top + total.log()).masked_fill_(empty, 0.0), total


def _cuts(known: Tensor | None, num_queries: int, chunk_rows: int) -> list[int]:
    """Where the pairs of each chunk begin and end in `known`."""
    if known is None:
        return []
    starts = torch.arange(chunk_rows, num_queries, chunk_rows, device=known.device)
    return [0, *torch.searchsorted(known[0].contiguous(), starts).tolist(), known.shape[1]]
