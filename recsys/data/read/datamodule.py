"""Lightning's view of a store: loaders of whole batches, and the data that tasks, baselines and reports read."""

import signal
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from annotated_types import Predicate
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import DataLoader

from recsys.baseline.base import FeatureTable, TrainingEvents
from recsys.batch import Batch, Catalogue, ImpressionBatch, KnownItems, Outcomes, Slice, UserBatch
from recsys.data.read.facts import item_slices, user_slices
from recsys.data.read.impressions import feature_table, outcomes
from recsys.data.read.rows import SPLITS, Evaluated, EvaluationUsers, FirstPages, PositiveRows, Rows
from recsys.data.read.steps import EvaluationSteps, NegativeSample, Order, StepSampler, TrainingSteps, negative_sample
from recsys.data.store import Store
from recsys.ranges import Column, Count, Natural, PositiveShare, Seed, distinct, require_ranges

SPLIT_CODES = {"train": 0, **SPLITS}


class DataModule(LightningDataModule):
    """Batches as a pure function of seed and step: the same for any number of workers, and after any interruption.

    Callbacks and baselines read the data through this class alone. Set `use_distributed_sampler: false` on the trainer: processes share
    rows and users here already.

    Args:
        batch_size: rows of a step (windows, for a sequence tower) over all processes together.
        eval_batch_size: users, or impressions, of an evaluation step of one process.
        num_workers: processes that make training batches ahead. Evaluation has none: its batches cost less to make than to hand over.
        seed: of the order of rows.
        rows, evaluated: make the training rows of a store, and the users or impressions of its "val" and "test".
        device_resident: keep the whole store on the accelerator and make batches there, without workers; nothing changes on a CPU.
        slice_columns: categorical item columns of at most 20 values to report by; user columns of that kind always are.
        keep_negatives: share of the training impressions whose first label is 0 that an epoch reads, drawn anew each time; 1 = all.
    """

    def __init__(
        self,
        store: Store,
        *,
        batch_size: Count,
        eval_batch_size: Count,
        num_workers: Natural,
        seed: Seed,
        rows: Callable[[Store], Rows] = PositiveRows,
        evaluated: Callable[[Store, str], Evaluated] = EvaluationUsers,
        device_resident: bool = False,
        slice_columns: Annotated[Sequence[Column], Predicate(distinct)] = (),
        keep_negatives: PositiveShare = 1.0,
    ):
        super().__init__()
        require_ranges(DataModule, locals())
        self.store = store
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.rows = rows
        self.evaluated = evaluated
        self.device_resident = device_resident
        self.slice_columns = tuple(slice_columns)
        self.keep_negatives = keep_negatives

    def setup(self, stage: str) -> None:
        """Move the store to the accelerator once, where `device_resident` says so and there is one; refuse what cannot be reported by."""
        item_slices(self.store, self.slice_columns)
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        if self.device_resident and self.store.user.device != device:
            self.store = self.store.to(device)
            self.num_workers = 0

    def train_dataloader(self) -> DataLoader[Batch]:
        """An epoch of this process's share of every batch, from the step on that training has reached."""
        rows = self.rows(self.store)
        order = Order(len(rows), self.batch_size, seed=self.seed, world_size=self._world_size, rank=self._rank, sample=self.negative_sample)
        return DataLoader(
            TrainingSteps(rows, order),
            batch_size=None,
            sampler=StepSampler(order.steps_per_epoch, self._steps_taken),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_ignore_signals,
            generator=torch.Generator(),  # of its own: workers must not be seeded from the stream of dropout and initialisation
        )

    def val_dataloader(self) -> DataLoader[UserBatch | ImpressionBatch]:
        """This process's part of validation."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[UserBatch | ImpressionBatch]:
        """This process's part of the test."""
        return self._evaluation("test")

    @cached_property
    def negative_sample(self) -> NegativeSample | None:
        """Training impressions of which an epoch reads a share; None = it reads all."""
        return negative_sample(self.store, self.keep_negatives)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items, in memory."""
        features = {column: values if values.is_floating_point() else values.long() for column, values in self.store.item_features.items()}
        return Catalogue(features, self.store.item_count)

    @cached_property
    def training_events(self) -> TrainingEvents:
        """Positive training interactions, by user, then time."""
        return self.events_before("val")

    def events_before(self, split: Literal["val", "test"]) -> TrainingEvents:
        """Positive interactions of the earlier splits, by user, then time: the past of an evaluation of this split."""
        store = self.store
        earlier = (store.event_split < SPLITS[split]).nonzero().squeeze(1)
        user, item = store.user[store.event_row[earlier]].long(), store.event_item[earlier].long()
        numbers = [label.column for label in store.schema.labels if label.kind == "regression" and label.given is None]
        rating = store.labels[numbers[0]][store.event_row[earlier]] if numbers else None
        return TrainingEvents(user, item, store.event_time[earlier], store.num_users, store.num_items, rating)

    @cached_property
    def known(self) -> KnownItems:
        """Distinct training items of each user."""
        events, size = self.training_events, self.store.num_items + 1
        pairs = torch.unique(events.user * size + events.item)  # ascending by user, then item
        per_user = torch.bincount(pairs // size, minlength=events.num_users + 1)
        return KnownItems(pad(per_user.cumsum(0), (1, 0)), pairs % size)

    def user_slices(self, split: Literal["val", "test"]) -> list[Slice]:
        """Users by activity in training and by each categorical column of at most 20 values; the same for both splits."""
        return user_slices(self.store)

    def item_slices(self, split: Literal["val", "test"]) -> list[Slice]:
        """Items by popularity in training and by `slice_columns`; the same for both splits."""
        return item_slices(self.store, self.slice_columns)

    def outcomes(self, split: Literal["val", "test"]) -> Outcomes:
        """Outcomes of the split's impressions."""
        return outcomes(self.store, split, self.slice_columns)

    def first_pages(self, split: Literal["val", "test"]) -> FirstPages:
        """Users who chose something in the split, at the first page that it shows them."""
        return FirstPages(self.store, split)

    def labels(self, split: Literal["train", "val", "test"]) -> dict[str, Tensor]:
        """{column: [N] float32} of a split's impressions."""
        chosen = (self.store.split == SPLIT_CODES[split]).cpu()
        return {column: values.cpu()[chosen] for column, values in self.store.labels.items()}

    def feature_table(self, split: Literal["train", "val", "test"]) -> FeatureTable:
        """The columns of a split's impressions, for tabular models."""
        return feature_table(self.store, SPLIT_CODES[split])

    def _evaluation(self, split: str) -> DataLoader[UserBatch | ImpressionBatch]:
        steps = EvaluationSteps(self.evaluated(self.store, split), self.eval_batch_size, world_size=self._world_size, rank=self._rank)
        return DataLoader(steps, batch_size=None, generator=torch.Generator())

    def _steps_taken(self) -> int:
        if self.trainer is None:
            return 0
        batches: Any = self.trainer.fit_loop.epoch_loop.batch_progress.total  # Lightning declares a tracker without `processed`
        return batches.processed

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0


def _ignore_signals(worker: int) -> None:
    """Leave signals to the run: it answers those sent to all its processes, and its workers end with it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
