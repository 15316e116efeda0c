"""Percentile intervals of means over users. U users, M metrics, S resamples."""

import torch
from torch import Tensor

CHUNK_ENTRIES = 4_000_000
"""Draws held at once."""


def bootstrap_interval(values: Tensor, *, resamples: int = 1_000, level: float = 0.95, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Interval of each mean when users are drawn again with replacement (Efron, 1979; percentile method).

    All metrics share the resamples, so they stay comparable. Values are rounded to a fixed point so fine (at least 31 bits after the
    binary point for values up to 1 and a million users) that every sum is exact: the result does not depend on the order of additions,
    on threads or on the number of processes.

    Args:
        values: [U, M] float64, finite, one row per user in a fixed order; U >= 1.
        resamples: S.
        level: probability between the bounds.
    Returns:
        low, high: [M] float64.
    """
    num_users = len(values)
    largest = values.abs().amax(0).clamp(min=1.0)
    scale = torch.exp2((52 - torch.log2(num_users * largest)).floor())  # [M]; sums stay below 2 ** 53, where float64 is exact
    fixed = (values * scale).round()
    generator = torch.Generator().manual_seed(seed)
    means = []
    for rows in torch.arange(resamples).split(max(1, CHUNK_ENTRIES // num_users)):
        drawn = torch.randint(num_users, (len(rows), num_users), generator=generator)
        cell = drawn + torch.arange(len(rows))[:, None] * num_users
        weight = torch.bincount(cell.view(-1), minlength=cell.numel()).view(len(rows), num_users)
        means.append(weight.double() @ fixed / (scale * num_users))
    ordered = torch.cat(means).sort(0).values
    tail = (1 - level) / 2
    bounds = torch.quantile(ordered, torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    return bounds[0], bounds[1]
