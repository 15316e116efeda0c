"""Data sets and sampler of DataLoaders: whole batches, each a pure function of its number. B rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch.utils.data import Dataset, Sampler

from recsys.batch import Batch, ImpressionBatch, UserBatch
from recsys.data.read.order import Order
from recsys.data.read.rows import Evaluated, Rows
from recsys.errors import DataError, Fault


class TrainingSteps(Dataset[Batch]):
    """Batches by global step.

    Args:
        rows: where rows come from.
        order: which of them make a step.
    """

    def __init__(self, rows: Rows, order: Order):
        self.rows = rows
        self.order = order

    def __len__(self) -> int:
        """Steps per epoch."""
        return self.order.steps_per_epoch

    def __getitem__(self, step: int) -> Batch:
        batch = self.rows.batch(self.order.rows(step))
        return replace(batch, weight=self.order.weight(step).to(batch.weight.device))


class StepSampler(Sampler[int]):
    """Numbers of the global steps of the next epoch, counted on from the steps already taken.

    So an interrupted epoch goes on with the step after the last one taken.

    Args:
        steps_per_epoch: how many to hand out.
        steps_taken: gives the number of steps already trained on.
    """

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
