"""Metrics of all lists together: how much of the catalogue they reach, how obscure it is, how evenly it is recommended.

U users, K positions, V = num_items + 1 catalogue rows. Lists are as the tie rule gives them (`recsys.metric.top_k`): tied items are not
averaged here, since a recommender shows one list.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from recsys.metric.declaration import Declaration


def exposure(items: Tensor, k: int, num_items: int) -> Tensor:
    """[num_items] int64 number of lists in which each item stands among the first k; entry 0 is item 1.

    Args:
        items: [U, K] int64 entity indices 1..num_items, best first, 0 where a list is shorter; K >= k.
    """
    return torch.bincount(items[:, :k].reshape(-1), minlength=num_items + 1)[1:]


def coverage(exposures: Tensor) -> float:
    """Share of the catalogue that is recommended to anyone, from `exposure` [num_items].

    Example:
        >>> coverage(torch.tensor([3, 0, 1, 0]))
        0.5
    """
    return (exposures > 0).double().mean().item()


def gini(exposures: Tensor) -> float:
    """Gini coefficient of exposure over the whole catalogue: 0 = every item equally often, (n - 1) / n = always the same one.

    sum_i (2 i - n - 1) x_i / (n sum_i x_i) with x from `exposure` [n], ascending, and i from 1; NaN where nothing was recommended.

    Example:
        >>> gini(torch.tensor([0, 0, 0, 8]))
        0.75
    """
    ascending = exposures.sort().values
    count = len(ascending)
    weight = 2 * torch.arange(1, count + 1, device=exposures.device) - count - 1
    return ((weight * ascending).sum().double() / (count * ascending.sum())).item()


def self_information(count: Tensor) -> Tensor:
    """[V] float64 bits: -log2 of each item's share of training interactions, with one more given to every item (Laplace); row 0 is 0.

    Args:
        count: [V] int64 training interactions of each item; row 0 pads.
    """
    smoothed = count.double() + 1
    bits = -torch.log2(smoothed / smoothed[1:].sum())
    bits[0] = 0
    return bits


def novelty(items: Tensor, ks: list[int], bits: Tensor) -> Tensor:
    """[U, len(ks)] float64 bits: mean self-information of the first k items (Zhou et al., PNAS 2010); 0 where a list is empty.

    The share is of interactions, with one added to every item. RecTools' mean inverse user frequency takes the share of users instead, and
    other libraries give 1 - share, without a logarithm: values compare within one library only.

    Args:
        items: [U, K] int64 entity indices, 0 where a list is shorter.
        bits: [V] float64, from `self_information`.
    """
    at = torch.tensor(ks, device=items.device) - 1
    lengths = (items > 0).cumsum(1)[:, at]
    return bits[items].cumsum(1)[:, at] / lengths.clamp(min=1)


NOVELTY = Declaration(
    "novelty",
    "surprise at an item, mean of the first k; popular items have little",
    measure=novelty,
    better=None,
    unit="bits",
    cutoff=20,
    place=7,
)
METRICS: tuple[Declaration[Callable[[Tensor], float]], ...] = (
    Declaration(
        "coverage",
        "share of the catalogue that anybody is recommended among the first k",
        measure=coverage,
        cutoff=20,
        chance=0.0,
        place=8,
        beside=True,
    ),
    Declaration(
        "gini",
        "how unequally items are recommended among the first k: 0 is all alike, 1 is one item alone",
        measure=gini,
        better=None,
        cutoff=20,
        place=9,
    ),
)
"""Metrics of all lists together, made of how often each item is recommended."""
