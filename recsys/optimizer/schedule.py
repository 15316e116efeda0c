"""Learning rates over a run: warm-up, then constant or cosine. Rates are multiples of the optimizer's own."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from recsys.ranges import Natural, Share


def constant(warmup_steps: Natural, *, optimizer: Optimizer, total_steps: int) -> LambdaLR:
    """Linear from 0 over `warmup_steps`, then constant. `total_steps` is part of every schedule's call."""
    del total_steps  # a constant rate does not depend on the run's length
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / (warmup_steps + 1)))


def cosine(warmup_steps: Natural, final: Share, *, optimizer: Optimizer, total_steps: int) -> LambdaLR:
    """Linear from 0 over `warmup_steps`, then half a cosine down to `final` at `total_steps` (Loshchilov & Hutter, 2017).

    Args:
        final: last multiple of the rate, in [0, 1].
    """

    def rate(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        done = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, rate)
