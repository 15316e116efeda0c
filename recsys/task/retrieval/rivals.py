"""Baselines that a retriever is held against, with settings that its validation chose. B users, V catalogue rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from recsys.baseline.base import Baseline, Scorer, TrainingEvents
from recsys.batch import UserBatch
from recsys.data.read.datamodule import DataModule
from recsys.data.store.raw_categories import spread
from recsys.metric.ranking import ndcg, rank
from recsys.metric.scores import TILE_USERS, Dense
from recsys.metric.top_k import by_tile, top_k

MOST_USERS = 1_000
"""Validation users who judge the settings of baselines."""


@dataclass(frozen=True)
class Fitted:
    """Baselines that have something to say; notes on the others, and on settings; seconds that fits and choices took."""

    scorers: dict[str, Scorer]
    notes: list[str]
    seconds: float


@dataclass
class ValidationJudge:
    """NDCG at a cut-off over validation users at equal distances; the same users in every process.

    Attributes:
        data: whose validation users judge.
        k: the cut-off.
        exclude_known: whether what a user had before may not be recommended.
        item_chunk: items ranked at once.
    """

    data: DataModule
    k: int
    exclude_known: bool
    item_chunk: int

    @cached_property
    def users(self) -> UserBatch:
        """At most MOST_USERS validation users, with what they had before and what they chose, on the CPU."""
        users = self.data.evaluated(self.data.store, "val")
        return users.batch(spread(len(users), MOST_USERS)).to(torch.device("cpu"))

    def __call__(self, scorer: Scorer) -> float:
        values = []
        for part in tiles(self.users):
            scores = Dense(scorer.scores(part.user, part.known))
            known, relevant = part.question(exclude_known=self.exclude_known, num_items=scores.num_items - 1)
            top = top_k(scores, self.k, known=known, relevant=relevant, item_chunk=self.item_chunk)
            values.append(ndcg(rank(top, relevant[0], top.relevant_start), [self.k])[:, 0])
        return float(torch.cat(values).nanmean()) if values else 0.0


def tiles(batch: UserBatch) -> list[UserBatch]:
    """A batch, without its features, in parts of at most TILE_USERS users: [TILE_USERS, V] scores are held at once."""
    starts = range(0, len(batch.user), TILE_USERS)
    parts = zip(batch.user.split(TILE_USERS), by_tile(batch.known, starts), by_tile(batch.relevant, starts))
    return [UserBatch({}, user, known, relevant) for user, known, relevant in parts]


def fitted(baselines: Mapping[str, Baseline], data: DataModule, judge: ValidationJudge) -> Fitted:
    """Baselines with the settings that suit validation; those that skip these events are named in the notes."""
    training, before_test = (_on_cpu(events) for events in (data.training_events, data.events_before("test")))
    scorers: dict[str, Scorer] = {}
    notes = []
    started = time.monotonic()
    for name, baseline in baselines.items():
        events = before_test if baseline.sees_validation else training
        if (reason := baseline.skipped(events)) is not None:
            notes.append(f"baseline {name} skipped: {reason}")
            continue
        baseline.fit(events, judge)
        scorers[name] = baseline
        notes += [f"baseline {name}: validation chose {baseline.note}"] if baseline.note else []
    return Fitted(scorers, notes, time.monotonic() - started)


def _on_cpu(events: TrainingEvents) -> TrainingEvents:
    """Baselines are numpy and scipy; the events lie where the store does."""

    def moved(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.cpu()

    return replace(events, user=events.user.cpu(), item=events.item.cpu(), time=events.time.cpu(), rating=moved(events.rating))
