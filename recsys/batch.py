"""Frozen groups of tensors that the data path hands to a task. B rows, L history length, E and R numbers of pairs, V catalogue rows.

Entity index: users and items are numbered 1..n once per Store (0 pads). It is not the vocabulary index of the id feature:
an item that training never saw has an entity index of its own, and the unknown index as its id feature.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 16
"""Bytes at whose multiples the columns of one copy begin; every dtype's size divides it."""


@dataclass(frozen=True)
class _OnDevice:
    """Adds `to(device)`, which moves one tensor after another."""

    def to(self, device: torch.device):
        return _changed(self, lambda values: values.to(device))


@dataclass(frozen=True)
class _InOneCopy:
    """Adds `to(device)`, which Lightning calls to move a batch: one copy from the CPU, for which the host does not wait."""

    def to(self, device: torch.device):
        columns = list(_tensors(self))
        if torch.device(device).type == "cpu" or any(values.device.type != "cpu" for values in columns):
            return _changed(self, lambda values: values.to(device))
        moved = iter(in_one_copy(columns, torch.device(device)))
        return _changed(self, lambda values: next(moved))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor of a dataclass or dict, in the order of `_changed`."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _tensors(entry)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _tensors(getattr(value, each.name))


def _changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same dataclass or dict, or the value itself, with each tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _changed(entry, change) for key, entry in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{entry.name: _changed(getattr(value, entry.name), change) for entry in fields(value)})
    return value


def in_one_copy(columns: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Columns, on the CPU, as views of one piece of memory of the device.

    They are put side by side in pinned memory where the device is a GPU, whose copy engine then reads it beside training.
    """
    places, size = [], 0
    for values in columns:
        places.append(slice(size, size + values.nbytes))
        size += -(-values.nbytes // ALIGNMENT) * ALIGNMENT
    packed = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    for values, place in zip(columns, places):
        packed[place].view(values.dtype).view(values.shape).copy_(values)
    there = packed.to(device, non_blocking=device.type == "cuda")
    return [there[place].view(values.dtype).view(values.shape) for values, place in zip(columns, places)]


@dataclass(frozen=True)
class Batch(_InOneCopy):
    """Training rows.

    `seen` says how many of a window's events are from before the moment of each: what a query for it may know. It is None where that is the
    event's position, since no two are of the same moment.
    """

    features: dict[str, Tensor]  # {column: [B] or [B, L]}, as each feature kind says in `recsys.schema`
    labels: dict[str, Tensor]  # {column: [B] float32}, NaN where missing
    weight: Tensor  # [B] float32; 0 for rows that only fill up a last batch
    user: Tensor  # [B] int64 user entity index
    item: Tensor  # [B] int64 item entity index of the row, or [B, L] for windows of a user's sequence, padded with 0 on the right
    seen: Tensor | None = None  # [B, L] int64


@dataclass(frozen=True)
class UserBatch(_InOneCopy):
    """Users to answer in a catalogue evaluation, as of the start of the evaluated split."""

    features: dict[str, Tensor]  # {column: [B] or [B, L]} of user features
    user: Tensor  # [B] int64 user entity index
    known: Tensor  # [2, E] int64 (row in this batch, item entity index): items the user had before the split; distinct, sorted by row
    relevant: Tensor  # [2, R] int64 (row in this batch, item entity index): what the user chose in the split; distinct, sorted by row

    def question(self, *, exclude_known: bool, num_items: int) -> tuple[Tensor, Tensor]:
        """Items that may not be recommended to these users, and items to look for: [2, P] pairs (row, item) each.

        With exclude_known, what a user had before the split is never recommended, and not looked for either.
        """
        known = self.known if exclude_known else self.known[:, :0]
        key, known_key = (row * (num_items + 1) + item for row, item in (self.relevant, known))
        return known, self.relevant[:, ~torch.isin(key, known_key)]


@dataclass(frozen=True)
class ImpressionBatch(_InOneCopy):
    """Impressions to predict the labels of."""

    features: dict[str, Tensor]  # {column: [B] or [B, L]}, all that was known of each row, bias columns among them
    number: Tensor  # [B] int64 position in the `Outcomes` of the split


@dataclass(frozen=True)
class Slice:
    """A division of users, items or impressions into named groups."""

    name: str  # as in the metric key test/<name>=<value>/recall@20
    values: tuple[str, ...]  # group names; `codes` index them
    codes: Tensor  # [num_entities + 1] int64 by entity index, or [N] by impression; -1 = in no group


@dataclass(frozen=True)
class Catalogue(_OnDevice):
    """Every item that can be recommended. V = num_items + 1 rows, row 0 pads."""

    features: dict[str, Tensor]  # {column: [V] or [V, L]} item features by entity index
    count: Tensor  # [V] int64 positive training interactions of each item

    def rows(self, items: Tensor) -> dict[str, Tensor]:
        """Features of these item entity indices, each [N] or [N, L]."""
        return {column: values.index_select(0, items) for column, values in self.features.items()}


@dataclass(frozen=True)
class Outcomes:
    """Labels and groups of a split's impressions, [N] each, on the CPU."""

    labels: dict[str, Tensor]  # {column: float32}, NaN where missing
    user: Tensor | None  # int64 user entity index; None where rows name no user
    session: Tensor | None  # int64, equal for rows that were shown together; None where neither user nor session is known
    slices: list[Slice]  # divisions of the impressions


@dataclass(frozen=True)
class Truth:
    """True probabilities of a split's impressions, {label: [N] float64}, in the order of its `Outcomes`."""

    probability: dict[str, Tensor]  # P(label | the label it is given is 1), for who knows what a served graph knows
    forced: dict[str, Tensor]  # of labels given another, their probability if that one had to be 1 in every row
    with_bias: dict[str, Tensor] = field(default_factory=dict)  # as `probability`, for who knows bias columns too; empty = there are none


@dataclass(frozen=True)
class KnownItems(_OnDevice):
    """Each user's distinct training items, ragged: items of user u are item[start[u] : start[u + 1]]."""

    start: Tensor  # [num_users + 2] int64
    item: Tensor  # [E] int64 item entity indices, ascending within a user

    def pairs(self, users: Tensor) -> Tensor:
        """[2, E] int64 (position in `users`, item entity index), sorted by position, for users [Q] int64."""
        query, entry = ranges(self.start[users], self.start[users + 1])
        return torch.stack([query, self.item[entry]])

    def columns(self, users: Tensor, candidates: Tensor, positive_at: Tensor) -> Tensor:
        """The users' known items among the candidates, without each query's own positive: [2, E] int64 (query, column), sorted by query.

        Args:
            users, positive_at: [Q] int64 user of each query, and column of its positive.
            candidates: [N] int64 distinct ascending item entity indices; zeros may stand behind them.
        """
        query, item = self.pairs(users)
        ascending = candidates.masked_fill(candidates == 0, torch.iinfo(candidates.dtype).max)
        column = torch.searchsorted(ascending, item).clamp(max=len(candidates) - 1)
        keep = (candidates[column] == item) & (column != positive_at[query])
        return torch.stack([query[keep], column[keep]])


def ranges(start: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of the ranges start : stop [B] int64, one range after another: [P] int64 place of the range of each, and the numbers."""
    count = stop - start
    place = torch.repeat_interleave(torch.arange(len(start), device=start.device), count)  # [P]
    within = torch.arange(len(place), device=place.device) - torch.repeat_interleave(count.cumsum(0) - count, count)
    return place, start[place] + within
