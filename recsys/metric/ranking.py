"""Ranking metrics per user, tied items at their expected value. U users, K positions, R relevant pairs, k cut-offs.

Items with equal scores stand in uniformly random order. Their group has m items, r of them relevant, counted over the whole catalogue,
whether or not all of them reach the list. For a position p with i positions of its group before it:

- P(relevant at p) = r / m, and P(relevant at p and at another position of the group) = r (r - 1) / (m (m - 1));
- P(relevant at p | none of its group before p) = r / (m - i), at most 1: the product of the complements along the list is the chance of
  no hit yet, across groups as well, since a group passed whole with r > 0 has made it 0.

So every metric here is a closed form, in float64. Gains are linear (0 or 1), the ideal list has min(R, k) ones, and R counts all relevant
items of the user. McSherry and Najork, ECIR 2008, do the same for graded gains.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys.metric.declaration import Declaration
from recsys.metric.top_k import TopK


@dataclass(frozen=True)
class Ranking:
    """Positions at which each user's relevant items may stand.

    Attributes:
        size: [U, K] int64 items in the tie group of each position (m).
        offset: [U, K] int64 positions of that group before this one (i).
        relevant: [U, K] int64 relevant items in that group (r).
        total: [U] int64 relevant items of the user, listed or not (R).
    """

    size: Tensor
    offset: Tensor
    relevant: Tensor
    total: Tensor

    def expected(self) -> Tensor:
        """[U, K] float64 probability that each position holds a relevant item."""
        return self.relevant.double() / self.size


def rank(top: TopK, row: Tensor, relevant_start: Tensor) -> Ranking:
    """Ranking of relevant pairs in the lists of U users: [R] int64 user row of each pair, and its `relevant_start` as in `TopK`."""
    in_list = relevant_start >= 0
    at_start = torch.zeros_like(top.start)
    at_start.index_put_((row[in_list], relevant_start[in_list]), torch.ones_like(row[in_list]), accumulate=True)
    position = torch.arange(top.start.shape[1], device=top.start.device)
    return Ranking(top.size, position - top.start, at_start.gather(1, top.start), torch.bincount(row, minlength=len(top.start)))


def recall(ranking: Ranking, ks: list[int]) -> Tensor:
    """Share of the relevant items found in the first k.

    Args:
        ks: cut-offs, each at most K.
    Returns:
        [U, len(ks)] float64; NaN where a user has no relevant item. So do all metrics of this module.
    """
    return _at(ranking.expected(), ks) / _where_relevant(ranking.total[:, None].double(), ranking)


def precision(ranking: Ranking, ks: list[int]) -> Tensor:
    """Share of the first k that is relevant; the denominator is k even where the catalogue is smaller."""
    k = torch.tensor(ks, dtype=torch.float64, device=ranking.size.device)
    return _where_relevant(_at(ranking.expected(), ks) / k, ranking)


def hit_rate(ranking: Ranking, ks: list[int]) -> Tensor:
    """Whether any of the first k is relevant."""
    return _where_relevant(_at(_first_hit(ranking), ks), ranking)


def mrr(ranking: Ranking, ks: list[int]) -> Tensor:
    """1 / position (from 1) of the first relevant item, 0 where it is beyond k."""
    return _where_relevant(_at(_first_hit(ranking) / _positions(ranking), ks), ranking)


def ndcg(ranking: Ranking, ks: list[int]) -> Tensor:
    """Sum of 1 / log2(1 + position) over relevant items in the first k, over that of the ideal list: min(R, k) ones.

    RecBole, TorchMetrics and LightGCN do the same with gains of 0 and 1. Libraries differ where the ideal list has k ones whatever R is
    (RecTools' default, smaller values for users with few items), and in the gain 2^relevance - 1, which is the same for 0 and 1.
    """
    discount = 1.0 / torch.log2(_positions(ranking) + 1)
    return _at(ranking.expected() * discount, ks) / _where_relevant(discount.cumsum(0)[_ideal(ranking, ks) - 1], ranking)


def average_precision(ranking: Ranking, ks: list[int]) -> Tensor:
    """Sum of precision at each relevant item in the first k, over min(R, k); its mean over users is MAP.

    Over min(R, k), as RecBole and Kaggle's MAP@k have it, so that a list of hits alone has 1. Others divide by R (TREC, RecTools: smaller
    where R > k) or by the hits among the first k (TorchMetrics: larger).
    """
    expected = ranking.expected()
    before_group = expected.cumsum(1) - expected * (ranking.offset + 1)  # relevant items in earlier groups, none of them random
    partner = (ranking.relevant - 1).clamp(min=0) / (ranking.size - 1).clamp(min=1).double()
    at_hit = expected * (1 + before_group + ranking.offset * partner) / _positions(ranking)
    return _at(at_hit, ks) / _where_relevant(_ideal(ranking, ks).double(), ranking)


METRICS: tuple[Declaration[Callable[[Ranking, list[int]], Tensor]], ...] = (
    Declaration(
        "recall",
        "share of what a user chose in the test that is among the first k recommended",
        measure=recall,
        cutoff=20,
        chance=0.0,
        place=1,
        beside=True,
        groups=True,
        compared=True,
        rivals=True,
    ),
    Declaration("precision", "share of the first k that the user chose", measure=precision, cutoff=20, chance=0.0, place=4),
    Declaration(
        "hit_rate",
        "share of users with at least one hit among the first k",
        measure=hit_rate,
        cutoff=10,
        chance=0.0,
        place=3,
        beside=True,
        compared=True,
    ),
    Declaration(
        "ndcg",
        "recall, where a place further up counts more: hits among the first k, weighted, over those of the best possible list",
        measure=ndcg,
        cutoff=20,
        chance=0.0,
        place=2,
        beside=True,
        groups=True,
        compared=True,
        rivals=True,
    ),
    Declaration("mrr", "1 / place of the first hit among the first k", measure=mrr, cutoff=20, chance=0.0, place=5),
    Declaration(
        "map", "mean precision at the places of the hits among the first k", measure=average_precision, cutoff=20, chance=0.0, place=6
    ),
)
"""Metrics of each user, in the order of their columns; the first is NaN for a user with nothing to find."""


def _first_hit(ranking: Ranking) -> Tensor:
    """[U, K] probability that the first relevant item stands at each position."""
    hazard = (ranking.relevant.double() / (ranking.size - ranking.offset)).clamp(max=1.0)
    none_yet = (1 - hazard).cumprod(1)
    before = torch.cat([torch.ones_like(none_yet[:, :1]), none_yet[:, :-1]], 1)
    return before * hazard


def _at(per_position: Tensor, ks: list[int]) -> Tensor:
    """[U, len(ks)] sums of the first k columns of [U, K]."""
    return per_position.cumsum(1)[:, torch.tensor(ks, device=per_position.device) - 1]


def _positions(ranking: Ranking) -> Tensor:
    """[K] float64: 1, 2, ..."""
    return torch.arange(1, ranking.size.shape[1] + 1, dtype=torch.float64, device=ranking.size.device)


def _ideal(ranking: Ranking, ks: list[int]) -> Tensor:
    """[U, len(ks)] int64 relevant items of the ideal list: min(R, k), at least 1."""
    return torch.minimum(ranking.total[:, None], torch.tensor(ks, device=ranking.total.device)).clamp(min=1)


def _where_relevant(values: Tensor, ranking: Ranking) -> Tensor:
    """The values, NaN for users without relevant items."""
    return values.masked_fill(ranking.total[:, None] == 0, torch.nan)
