"""Baselines that every report holds a model against. B users, V = num_items + 1 catalogue rows, R interactions, N impressions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from torch import Tensor

Setting = TypeVar("Setting")
SPEED = 2e10
"""Floating-point operations a second that times are estimated with: a run then chooses the same on an idle machine as on a busy one."""


@dataclass(frozen=True)
class TrainingEvents:
    """Positive interactions of the training split, by entity index, distinct pairs not required.

    Attributes:
        user: [R] int64.
        item: [R] int64.
        time: [R] int64 microseconds since 1970 UTC, or a rank within the user.
        num_users, num_items: entity counts; indices run from 1 to these.
        rating: [R] float32, NaN where missing: the first label that is a number and given no other; None where there is none.
    """

    user: Tensor
    item: Tensor
    time: Tensor
    num_users: int
    num_items: int
    rating: Tensor | None = None


class Scorer(Protocol):
    """A fitted baseline, or the truth of a simulated world: anything that has a score for every item."""

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        """[B, V] scores of all items for [B] users; known [2, E] (row, item) are the items they had before the split."""


Judge: TypeAlias = Callable[[Scorer], float]
"""Quality of scores on validation; more is better."""


class Baseline(ABC):
    """Fitted once on training events, then scores the whole catalogue for users as a function of their known items.

    Attributes:
        name: as in the file that configures it.
        sees_validation: at test, fit on validation events too, as history features do: where a gap before the test would hurt.
        note: settings that validation chose, in words; "" = there was nothing to choose.
    """

    name: str
    sees_validation: bool = False
    note: str = ""

    @abstractmethod
    def fit(self, events: TrainingEvents, judge: Judge) -> None:
        """Learn from the training events, with the settings that `judge` finds best."""

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


@dataclass(frozen=True)
class LabelledTable:
    """Rows that a label concerns; label: [N] float64, 0 or 1 if it is binary, else a number."""

    table: FeatureTable
    label: np.ndarray


class ImpressionBaseline(ABC):
    """Fitted once per label on the training rows that concern it, then predicts it for any impression.

    Attributes:
        name: as in the file that configures it.
        note: settings that validation chose for the last label, and whether the fit ended early, in words.
    """

    name: str
    note: str = ""

    @abstractmethod
    def fit(self, training: LabelledTable, validation: LabelledTable, *, binary: bool) -> None:
        """Learn one label from the training rows, with the settings that fit validation best; its rows may be none."""

    @abstractmethod
    def predict(self, table: FeatureTable) -> np.ndarray:
        """[N] float64 probabilities of the label, or its expected value."""


def choose(settings: Sequence[Setting], fit: Callable[[Setting], None], quality: Callable[[], float]) -> Setting:
    """Fit with each setting in turn, and leave the one of the best quality fitted, the first of equal ones; a single one is not judged."""
    if len(settings) == 1:
        fit(settings[0])
        return settings[0]
    best = last = settings[0]
    highest = -np.inf
    for last in settings:
        fit(last)
        if (reached := quality()) > highest:
            best, highest = last, reached
    if best != last:
        fit(best)
    return best


def choice_note(**chosen: tuple[object, Sequence[object]]) -> str:
    """Settings that were chosen, in words; "" where there was no choice.

    Example:
        >>> choice_note(l2=(500, [200, 500]), shrink=(10, [10]))
        'l2=500 (of 200, 500)'
    """
    several = {name: (value, values) for name, (value, values) in chosen.items() if len(values) > 1}
    return ", ".join(f"{name}={value} (of {', '.join(map(str, values))})" for name, (value, values) in several.items())
