"""Softmax over candidates with logQ correction; loss and gradients in one pass over chunks of queries.

Q queries, C of a chunk, N candidates, D dim, E pairs.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys.loss.base import RetrievalLoss, Temperature, check_shapes, normalized_weights
from recsys.ranges import Positive

CPU_CHUNK_BYTES = 8 << 20
"""Logits of one chunk on a CPU: what stays in its caches from one operation to the next."""
DEVICE_CHUNK_BYTES = 256 << 20
"""The same elsewhere: enough to fill an accelerator."""
MIN_CHUNK_ROWS = 64
"""Queries of a chunk at least; fewer make the matrix products inefficient."""
ALIGNMENT = 32
"""Queries and candidates are filled up to a multiple of this many. Products are up to 1.6 times as fast where rows start at cache
lines, and a shape that was never seen costs a CPU more than the product itself: its bfloat16 kernels are compiled for each."""


class SampledSoftmax(RetrievalLoss):
    """-log softmax of the positive among the candidates.

    s = user . item / temperature. A negative's logit is s - log q, which makes the sum over candidates an unbiased estimate of the
    sum over the catalogue (`recsys.candidates.base`); with `candidates=full` every log q is 0 and nothing is estimated. Of the
    losses here the first to try: it weighs negatives by their score, so that hard ones decide. Never forms [Q, N] at once.

    The positive is not sampled: it is in the sum with probability 1, and its logit is s (Khrylchenko et al., RecSys 2025,
    "Correcting the LogQ Correction"). The older form (positive_is_sampled true; Yi et al., RecSys 2019) corrects the positive too,
    as if it had been drawn: a rare positive then looks as if it were learnt already and gets too little gradient.

    The loss of 2025 reads -sg(1 - P) log(exp(s_p) / S), where S = sum over negatives n of exp(s_n - log q_n), P = exp(s_p) /
    (exp(s_p) + S) and sg stops the gradient. Its gradient is (1 - P) (sum_n exp(s_n - log q_n) / S grad s_n - grad s_p). Since
    1 - P = S / (exp(s_p) + S), this is sum_n P_n grad s_n - (1 - P) grad s_p with P_n = exp(s_n - log q_n) / (exp(s_p) + S): the
    gradient of the cross-entropy whose positive is uncorrected. That cross-entropy is what is computed and reported here.

    Args:
        temperature: divides the scores; about 0.05 to 0.2 for unit vectors, 1 for dot products. Start value if learnable.
        learnable_temperature: train it, between the next two.
        min_temperature: lower bound, never passed.
        max_temperature: upper bound, never passed.
        positive_is_sampled: the older form.
    """

    def __init__(
        self,
        temperature: Positive,
        learnable_temperature: bool,
        *,
        min_temperature: Positive,
        max_temperature: Positive,
        positive_is_sampled: bool,
    ):
        super().__init__()
        self.temperature = Temperature(temperature, learnable_temperature, low=min_temperature, high=max_temperature)
        self.positive_is_sampled = positive_is_sampled

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        return fused_softmax(
            users,
            items,
            positive_at,
            temperature=self.temperature(),
            log_q=log_q,
            positive_log_q=log_q[positive_at] * self.positive_is_sampled,
            known=known,
            weight=weight,
            exponent=1.0,
            positive_competes=True,
        )


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
    chunk; the idea is that of Liger Kernel and Cut Cross-Entropy. Logits and probabilities are in bfloat16 under autocast and for
    16-bit vectors; exponentials, their sums, and sums over chunks are in float32.

    Args:
        users: [Q, D] query vectors.
        items: [N, D] candidate vectors.
        positive_at: [Q] int64, column of each query's positive.
        temperature: divides the scores; gets its gradient through the users.
        log_q: [N], subtracted from the logits of negatives; +inf leaves a candidate out.
        positive_log_q: [Q], subtracted from the logits of positives.
        known: [2, E] int64 pairs (query, column) left out of the sums, sorted by query; None = none.
        weight: [Q], 0 leaves a query out.
        exponent: power of the sum.
        positive_competes: whether the positive is part of the sum. The log of a sum without terms counts as 0.
            If it is, a query's loss is at most 87, where the probability of its positive leaves the range of float32.
        chunk_rows: C; None = what suits the device.
    Returns:
        Scalar float32 (float64 for float64 vectors). Differentiable once, by users, items and temperature.
    """
    check_shapes(users, items, positive_at=positive_at, log_q=log_q)
    dtype = torch.promote_types(users.dtype, torch.float32)
    device = users.device.type
    matmul_dtype = torch.bfloat16 if torch.is_autocast_enabled(device) or users.dtype.itemsize == 2 else dtype
    if chunk_rows is None:
        chunk_bytes = CPU_CHUNK_BYTES if device == "cpu" else DEVICE_CHUNK_BYTES
        chunk_rows = max(MIN_CHUNK_ROWS, chunk_bytes // (matmul_dtype.itemsize * _aligned(len(items))) // ALIGNMENT * ALIGNMENT)
    rule = _Rule(exponent, positive_competes, matmul_dtype, min(chunk_rows, _aligned(len(users))))
    scaled = users.to(dtype) / temperature
    share = normalized_weights(weight.to(dtype))
    with torch.autocast(device, enabled=False):
        return _FusedSoftmax.apply(scaled, items.to(dtype), positive_at, log_q.to(dtype), positive_log_q.to(dtype), known, share, rule)


class _FusedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, users, items, positive_at, log_q, positive_log_q, known, weight, rule):
        num_queries, num_items, width = len(users), len(items), _aligned(len(items))
        users, items_m = _filled_up(users), _filled_up(items.to(rule.matmul_dtype))
        positive_at, positive_log_q, weight = map(_filled_up, (positive_at, positive_log_q, weight))
        factor = (weight * rule.exponent)[:, None]
        weighted = (users * factor).to(rule.matmul_dtype)
        users_and_bias, items_and_bias = _with_bias(users.to(rule.matmul_dtype), items_m, log_q)
        positive = (users * items[positive_at]).sum(1) - positive_log_q  # [Q]
        probabilities = items_m.new_empty(rule.chunk_rows, width)
        chance = torch.empty_like(positive)  # of the positive
        log_sum = torch.empty_like(positive)
        grad_users, grad_items = torch.empty_like(users), items.new_zeros(width, items.shape[1])
        cuts = _cuts(known, len(users), rule.chunk_rows)
        for chunk, start in enumerate(range(0, len(users), rule.chunk_rows)):
            rows = slice(start, min(start + rule.chunk_rows, len(users)))
            part = probabilities[: rows.stop - start]  # [C, N], filled up; logits at first
            flat = part.view(-1)  # indexing it is ten times as fast on a CPU as two indices
            at = torch.arange(0, len(flat), width, device=flat.device) + positive_at[rows]
            torch.mm(users_and_bias[rows], items_and_bias.T, out=part)
            part[:, num_items:] = -torch.inf
            if known is not None:
                query, column = known[:, cuts[chunk] : cuts[chunk + 1]]
                flat.index_fill_(0, (query - start) * width + column, -torch.inf)
            if rule.positive_competes:
                flat[at] = positive[rows].to(part.dtype)
                torch.softmax(part, 1, out=part)
                chance[rows] = flat[at]
                flat[at] -= 1.0
            else:
                flat[at] = -torch.inf
                log_sum[rows] = torch.logsumexp(part.to(users.dtype), 1)
                torch.softmax(part, 1, out=part)
                part.masked_fill_(log_sum[rows, None] == -torch.inf, 0.0)
                flat[at] = -1.0 / rule.exponent
            # part is now d loss / d logits, but for the factor
            grad_items += torch.mm(part.T, weighted[rows])
            torch.mul(torch.mm(part, items_m), factor[rows], out=grad_users[rows])
        ctx.save_for_backward(grad_users[:num_queries], grad_items[:num_items])
        if rule.positive_competes:
            log_sum = positive - chance.clamp_min_(torch.finfo(chance.dtype).tiny).log()
        losses = rule.exponent * log_sum.masked_fill(log_sum == -torch.inf, 0.0) - positive
        return (losses * weight).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss):
        grad_users, grad_items = ctx.saved_tensors
        return grad_users * grad_loss, grad_items * grad_loss, *[None] * 6


def _aligned(num: int) -> int:
    return -(-num // ALIGNMENT) * ALIGNMENT


def _filled_up(values: Tensor) -> Tensor:
    """[n, ...] with zeros behind, up to the next multiple of `ALIGNMENT`."""
    return F.pad(values, (*[0] * (2 * values.dim() - 1), _aligned(len(values)) - len(values)))


def _with_bias(users: Tensor, items: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors [Q, D + 8] and [N, D + 8] whose product is users . items - log_q.

    -log_q takes two dimensions, the second holding what rounding leaves of the first: the product sums in float32 and rounds once.
    The others keep the width a multiple of 8, as tensor cores want it. Without any log_q the vectors stay as they are, for a product
    that is half as fast again; elsewhere than on a CPU, looking would cost more than it saves.
    """
    if log_q.device.type == "cpu" and not log_q.any():
        return users, items
    bias = _filled_up(-log_q)
    first = bias.to(items.dtype)
    second = torch.where(bias.isinf(), 0.0, bias - first).to(items.dtype)  # of a candidate that only fills up, nothing is left
    return F.pad(F.pad(users, (0, 2), value=1.0), (0, 6)), F.pad(torch.cat([items, first[:, None], second[:, None]], dim=1), (0, 6))


def _cuts(known: Tensor | None, num_queries: int, chunk_rows: int) -> list[int]:
    """Where the pairs of each chunk begin and end in `known`."""
    if known is None:
        return []
    starts = torch.arange(chunk_rows, num_queries, chunk_rows, device=known.device)
    return [0, *torch.searchsorted(known[0].contiguous(), starts).tolist(), known.shape[1]]
