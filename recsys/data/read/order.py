"""Rows of each step, as a pure function of seed and step: any step of any epoch can be made at any time. B rows."""

import numpy as np
import torch
from torch import Tensor

from recsys.data.read.negatives import NegativeSample
from recsys.errors import ConfigError, Fault


class Order:
    """Order of rows: every epoch visits each once, shuffled anew; the ranks of a distributed run share each step's batch.

    The number of workers, and where a run was interrupted, cannot change what a step holds.

    Args:
        num_rows: number of rows.
        batch_size: rows of a step over all ranks together; a multiple of world_size.
        seed: of the shuffles; the epoch is the second half of the key (Philox: Salmon et al., SC 2011).
        world_size, rank: this process takes every world_size-th row of a batch, from its rank on.
        sample: leaves some of the rows out of an epoch, others in each, always as many; None = none.

    Example:
        >>> order = Order(5, 2, seed=0)
        >>> order.steps_per_epoch, sorted(torch.cat([order.rows(step) for step in (0, 1, 2)])[:5].tolist())
        (3, [0, 1, 2, 3, 4])
    """

    def __init__(
        self, num_rows: int, batch_size: int, *, seed: int, world_size: int = 1, rank: int = 0, sample: NegativeSample | None = None
    ):
        if batch_size < 1 or batch_size % world_size:
            fault = f"the processes share a batch, got batch_size {batch_size} for {world_size}"
            raise ConfigError(Fault(fault, "loader.batch_size", f"choose a multiple of {world_size}"))
        self.num_rows = num_rows
        self.batch_size = batch_size
        self.seed = seed
        self.world_size = world_size
        self.rank = rank
        self.sample = sample
        self.steps_per_epoch = -(-(num_rows if sample is None else sample.num_rows) // batch_size)
        self._shuffled: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))

    def rows(self, step: int) -> Tensor:
        """[B / world_size] int64 row numbers of a global step; the last step of an epoch is filled up with row 0."""
        mine = self._mine(step)
        return torch.from_numpy(np.concatenate([mine, np.zeros(self.batch_size // self.world_size - len(mine), dtype=np.int64)]))

    def weight(self, step: int) -> Tensor:
        """[B / world_size] float32: 1 for rows of the epoch, 0 for what only fills the last step up."""
        weight = torch.ones(self.batch_size // self.world_size)
        weight[len(self._mine(step)) :] = 0
        return weight

    def _mine(self, step: int) -> np.ndarray:
        epoch, position = divmod(step, self.steps_per_epoch)
        start = position * self.batch_size
        return self._permutation(epoch)[start : start + self.batch_size][self.rank :: self.world_size]

    def _permutation(self, epoch: int) -> np.ndarray:
        """[rows of the epoch] int64; the last epoch asked for is kept, since steps are asked for in order."""
        if self._shuffled[0] != epoch:
            generator = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
            rows = self.num_rows if self.sample is None else self.sample.draw(generator)
            self._shuffled = (epoch, generator.permutation(rows))
        return self._shuffled[1]
