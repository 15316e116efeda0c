"""Rows of each step, as a pure function of seed and step: any step of any epoch can be made at any time. B rows, N training rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from recsys.batch import Batch, ImpressionBatch, UserBatch
from recsys.data.read.rows import Evaluated, Rows
from recsys.data.store import Store
from recsys.errors import ConfigError, DataError, Fault
from recsys.schema import Schema

KEEP_NEGATIVES = "task.keep_negatives"
"""Config key of the share of negatives that an epoch reads."""


class TrainingSteps(Dataset[Batch]):
    """Batches by global step, whose rows an `Order` chooses."""

    def __init__(self, rows: Rows, order: "Order"):
        self.rows = rows
        self.order = order

    def __len__(self) -> int:
        """Steps per epoch."""
        return self.order.steps_per_epoch

    def __getitem__(self, step: int) -> Batch:
        batch = self.rows.batch(self.order.rows(step))
        return replace(batch, weight=self.order.weight(step).to(batch.weight.device))


class StepSampler(Sampler[int]):
    """Numbers of the global steps of the next epoch, counted on from the steps already taken: an interrupted epoch goes on after them."""

    def __init__(self, steps_per_epoch: int, steps_taken: Callable[[], int]):
        self.steps_per_epoch = steps_per_epoch
        self.steps_taken = steps_taken

    def __len__(self) -> int:
        return self.steps_per_epoch

    def __iter__(self) -> Iterator[int]:
        first = self.steps_taken()
        return iter(range(first, first + self.steps_per_epoch))


class EvaluationSteps(Dataset[UserBatch | ImpressionBatch]):
    """Batches of an evaluation; each user or impression is in one batch of one process, none is repeated to fill up.

    Args:
        evaluated: all users, or all impressions, of a split.
        batch_size: of them in a batch; the last may hold fewer.
        world_size, rank: this process takes every world_size-th of them, from its rank on.
    Raises:
        DataError: there are fewer of them than processes; one without any would leave the evaluation, and the others wait for it.
    """

    def __init__(self, evaluated: Evaluated, batch_size: int, *, world_size: int = 1, rank: int = 0):
        if world_size > 1 and len(evaluated) < world_size:
            what = f"a split has {len(evaluated)} users or impressions to evaluate, fewer than the {world_size} processes"
            raise DataError(Fault(what, "data.split", "give that split more rows, or start fewer processes with trainer.devices=N"))
        self.evaluated = evaluated
        self.mine = torch.arange(rank, len(evaluated), world_size)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.mine) // self.batch_size)

    def __getitem__(self, step: int) -> UserBatch | ImpressionBatch:
        return self.evaluated.batch(self.mine[step * self.batch_size : (step + 1) * self.batch_size])


class Order:
    """Order of rows: every epoch visits each once, shuffled anew; the ranks of a distributed run share each step's batch.

    The number of workers, and where a run was interrupted, cannot change what a step holds.

    Args:
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
        self, num_rows: int, batch_size: int, *, seed: int, world_size: int = 1, rank: int = 0, sample: "NegativeSample | None" = None
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
        """[B / world_size] int64 row numbers of a global step; the last step of an epoch is filled up with its first rows.

        So the rows that only fill up, whose weight is 0, are as random as all others: candidates that count a step's positives stay right.
        """
        epoch, position = divmod(step, self.steps_per_epoch)
        places = np.arange(position * self.batch_size, (position + 1) * self.batch_size)
        return torch.from_numpy(self._permutation(epoch).take(places, mode="wrap")[self.rank :: self.world_size])

    def weight(self, step: int) -> Tensor:
        """[B / world_size] float32: 1 for rows of the epoch, 0 for what only fills the last step up."""
        epoch, position = divmod(step, self.steps_per_epoch)
        places = torch.arange(position * self.batch_size, (position + 1) * self.batch_size)[self.rank :: self.world_size]
        return (places < len(self._permutation(epoch))).float()

    def _permutation(self, epoch: int) -> np.ndarray:
        """[rows of the epoch] int64; the last epoch asked for is kept, since steps are asked for in order."""
        if self._shuffled[0] != epoch:
            generator = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
            rows = self.num_rows if self.sample is None else self.sample.draw(generator)
            self._shuffled = (epoch, generator.permutation(rows))
        return self._shuffled[1]


@dataclass(frozen=True)
class NegativeSample:
    """Training rows whose first label is 0, of which each epoch reads `kept`, drawn anew; it reads all others.

    A row whose first label is missing is no negative, and always read: it has no part in the loss of any label of the funnel, so the odds
    of the first label among the rows where it is known move the same.
    """

    negative: np.ndarray  # [N] bool
    kept: int  # at least 1

    @property
    def share(self) -> float:
        """Share of the negatives that an epoch reads: the configured one, rounded to whole rows."""
        return self.kept / int(self.negative.sum())

    @property
    def num_rows(self) -> int:
        """Number of rows of an epoch."""
        return int((~self.negative).sum()) + self.kept

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Row numbers of one epoch, [num_rows] int64."""
        kept = generator.choice(self.negative.nonzero()[0], self.kept, replace=False, shuffle=False)
        return np.concatenate([(~self.negative).nonzero()[0], kept])


def negative_sample(store: Store, share: float) -> NegativeSample | None:
    """Training rows of which an epoch reads this share of the negatives, numbered as in `Impressions`; None = it reads all.

    Raises:
        ConfigError: the share keeps no row; or the labels are not one funnel behind one 0/1 label.
    """
    if share == 1:
        return None
    first = _first_label(store.schema)
    negative = (store.labels[first].cpu()[store.split.cpu() == 0] == 0).numpy()  # a missing label is NaN
    kept = round(share * int(negative.sum()))
    if kept == 0:
        what = f"{share} of the {negative.sum():,} training rows where '{first}' is 0 is no row"
        raise ConfigError(Fault(what, KEEP_NEGATIVES, "choose a larger share; 1 keeps all"))
    return NegativeSample(negative, kept)


def _first_label(schema: Schema) -> str:
    """Column of the one label that all others are given, directly or by way of others."""
    first = [label for label in schema.labels if label.given is None]
    if len(first) > 1:
        names = ", ".join(f"'{label.column}'" for label in first)
        what = f"{names} are each given no other label: leaving out rows without one changes how often the rest occur, by no known factor"
        raise ConfigError(Fault(what, KEEP_NEGATIVES, "choose 1, which keeps all, or name in data.labels what each label is given"))
    if first[0].kind != "binary":
        what = f"'{first[0].column}', which is given no other label, is a number: no row is its negative"
        raise ConfigError(Fault(what, KEEP_NEGATIVES, "choose 1, which keeps all"))
    return first[0].column
