"""Losses over a query's positive and shared candidates. Q queries, N candidates, D dim, E pairs."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recsys.errors import ArgumentError, Fault
from recsys.ranges import Positive, require_ranges


class RetrievalLoss(nn.Module, ABC):
    """Scores are dot products; a loss may scale them by a temperature."""

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries.

        Args:
            users: [Q, D] query vectors.
            items: [N, D] candidate vectors, distinct items.
            positive_at: [Q] int64, column of each query's positive.
            log_q: [N] float32, log probability that a candidate was drawn; +inf for one that only fills up, and is no negative.
            known: [2, E] int64 pairs (query, column) that are no negatives, sorted by query; never a query's own positive. None = none.
            weight: [Q] float32, 0 leaves a query out.
        Returns:
            Scalar float32; 0 with zero gradient when every weight is 0.
        """


class Temperature(nn.Module):
    """A positive number: fixed, or trained between two bounds as low + (high - low) * sigmoid(raw).

    Args:
        temperature: the number, or where training starts.
        learnable: train it.
        low: bound that training approaches and never passes; read only if learnable.
        high: as `low`, from above.
    """

    def __init__(self, temperature: Positive, learnable: bool, *, low: float, high: float):
        super().__init__()
        require_ranges(Temperature, locals())
        if learnable and not 0 < low < temperature < high:
            fault = f"a learnable temperature starts at {temperature}, which is not between its bounds {low} and {high}"
            raise ArgumentError(Fault(fault, "temperature", "keep 0 < min_temperature < temperature < max_temperature"))
        self.low, self.high = low, high
        self.value = temperature
        self.raw = nn.Parameter(torch.tensor((temperature - low) / (high - low)).logit()) if learnable else None

    def forward(self) -> Tensor | float:
        """The current value: a float if fixed, else a scalar tensor."""
        return self.value if self.raw is None else self.low + (self.high - self.low) * self.raw.sigmoid()


class Negatives:
    """A query's negatives: every candidate but its positive and its known items. Scores in float32 or better, without autocast.

    Attributes:
        positive: [Q] scores of the positives.
        scores: [Q, N] scores of the negatives; -inf where a candidate is none. One that only fills up has a score, which `mean` leaves out.
        count: [Q] float64, number of negatives.
        rate: [Q] float64, share of the catalogue's negatives that were drawn: their number / sum of 1 / q. 1 if not `correct_log_q`.

    Args:
        users, items, positive_at, log_q, known: as `RetrievalLoss.forward` takes them.
        correct_log_q: weigh a candidate by 1 / q, so that a mean over negatives estimates the mean over the whole catalogue whichever
            way they were drawn. False counts every candidate the same: popular or mined ones keep the emphasis their sampler gives.
    """

    def __init__(self, users: Tensor, items: Tensor, *, positive_at: Tensor, log_q: Tensor, known: Tensor | None, correct_log_q: bool):
        check_shapes(users, items, positive_at=positive_at, log_q=log_q)
        dtype = torch.promote_types(users.dtype, torch.float32)  # exp and differences of scores need float32
        with torch.autocast(users.device.type, enabled=False):
            scores = users.to(dtype) @ items.to(dtype).T  # [Q, N]
        at = positive_at[:, None]
        self.positive = scores.gather(1, at).squeeze(1)
        # float64: what is left of a sum after its positive is taken out may be a tiny part of it
        real = log_q < torch.inf
        share = (-log_q.double()).exp() if correct_log_q else real.double()  # [N], 1 / q
        left = share.sum() - share[positive_at]  # [Q]
        count = (real.sum() - 1).to(left).expand_as(left)
        scores = scores.scatter(1, at, -torch.inf)
        if known is not None:
            query, column = known
            scores.view(-1).index_fill_(0, query * len(items) + column, -torch.inf)
            left = left.index_add(0, query, -share[column])
            count = count.index_add(0, query, -torch.ones_like(share[column]))
        self.scores = scores
        self.count = count
        self.rate = count / left.clamp_min(torch.finfo(dtype).tiny)
        self._share = share.to(dtype)
        self._total = left.clamp_min(torch.finfo(dtype).tiny).to(dtype)  # 0 / tiny = 0 where a query has no negative

    def mean(self, values: Tensor) -> Tensor:
        """[Q] weighted mean of `values` [Q, N] over each query's negatives; 0 where it has none. Masked values must be 0."""
        return values @ self._share / self._total


def check_shapes(users: Tensor, items: Tensor, *, positive_at: Tensor, log_q: Tensor) -> None:
    """Refuses vectors that cannot be scored.

    Raises:
        ValueError: users and items differ in dim, or positives or log_q do not fit them.
    """
    if users.shape[-1] != items.shape[-1]:
        raise ValueError(
            f"users and items need the same dim, got {users.shape[-1]} and {items.shape[-1]}; let both towers end in the model's `dim`"
        )
    if len(positive_at) != len(users):
        raise ValueError(f"every query needs one positive, got {len(users)} queries and {len(positive_at)} positives; pass positive_at [Q]")
    if len(log_q) != len(items):
        raise ValueError(f"every candidate needs its log_q, got {len(items)} items and {len(log_q)}; pass log_q of `Candidates.sample`")


def weighted_mean(losses: Tensor, weight: Tensor) -> Tensor:
    """Mean of [Q] losses by weight [Q]; 0 with zero gradient when every weight is 0."""
    return (losses * normalized_weights(weight.to(losses.dtype))).sum()


def normalized_weights(weight: Tensor) -> Tensor:
    """Weights [Q] that sum to 1, or stay 0 if all are."""
    return weight / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
