"""Baselines that every report holds a model against. B users, V = num_items + 1 catalogue rows, R interactions, N impressions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class TrainingEvents:
    """Positive interactions of the training split, by entity index, distinct pairs not required.

    Attributes:
        user: [R] int64.
        item: [R] int64.
        time: [R] int64 microseconds since 1970 UTC, or a rank within the user.
        num_users, num_items: entity counts; indices run from 1 to these.
    """

    user: Tensor
    item: Tensor
    time: Tensor
    num_users: int
    num_items: int


class Scorer(Protocol):
    """A fitted baseline, or the truth of a simulated world: anything that has a score for every item."""

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        """[B, V] scores of all items for [B] users; known [2, E] (row, item) are the items they had before the split."""


class Baseline(ABC):
    """Fitted once on training events, then scores the whole catalogue for users as a function of their known items.

    Attributes:
        name: as in the file that configures it.
        sees_validation: at test, fit on validation events too, as history features do: where a gap before the test would hurt.
    """

    name: str
    sees_validation: bool = False

    @abstractmethod
    def fit(self, events: TrainingEvents) -> None:
        """Learn from the training events."""

    def skipped(self, events: TrainingEvents) -> str | None:
        """Why this baseline has nothing to say about these events, in one sentence; None when it has."""
        del events  # most baselines take any
        return None

    @abstractmethod
    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        """Scores of every item.

        Args:
            user: [B] int64 user entity index.
            known: [2, E] int64 (row, item) items each user had before the evaluated split.
        Returns:
            [B, V] float32; column 0 is ignored by the caller.
        """


@dataclass(frozen=True)
class FeatureTable:
    """The columns of impressions as tabular models take them.

    Attributes:
        numbers: [N, P] float32, NaN where missing.
        categories: [N, C] int64 codes from 0.
        num_categories: [C] codes of each column.
        bias: places of bias columns among the categories, such as that of the position.
    """

    numbers: np.ndarray
    categories: np.ndarray
    num_categories: tuple[int, ...]
    bias: tuple[int, ...] = ()

    def served(self) -> "FeatureTable":
        """The columns that a served graph has: without bias columns."""
        kept = [place for place in range(len(self.num_categories)) if place not in self.bias]
        return FeatureTable(self.numbers, self.categories[:, kept], tuple(self.num_categories[place] for place in kept))

    def rows(self, chosen: np.ndarray) -> "FeatureTable":
        """The rows where `chosen` [N] bool is true."""
        return replace(self, numbers=self.numbers[chosen], categories=self.categories[chosen])


class ImpressionBaseline(ABC):
    """Fitted once per label on the training rows that concern it, then predicts it for any impression.

    Attributes:
        name: as in the file that configures it.
    """

    name: str

    @abstractmethod
    def fit(self, table: FeatureTable, label: np.ndarray, *, binary: bool) -> None:
        """Learn one label.

        Args:
            table: training rows.
            label: [N] float64, 0 or 1 if binary, else a number.
        """

    @abstractmethod
    def predict(self, table: FeatureTable) -> np.ndarray:
        """[N] float64 probabilities of the label, or its expected value."""
