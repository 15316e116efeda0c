"""Row numbers to a Batch: one vectorised gather per column. Batches are made on the device of the store.

B rows, L history length, W windows, E events, P pairs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from recsys.batch import Batch, ImpressionBatch, UserBatch, ranges
from recsys.data.split import TEST, VAL
from recsys.data.store import Store
from recsys.schema.kind.history import histories

SPLITS = {"val": VAL, "test": TEST}
"""{name of an evaluated split: its code in a Store}."""


class Rows(ABC):
    """Training rows, addressed by their number."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def batch(self, index: Tensor) -> Batch:
        """The rows [B] int64 of these numbers, each with weight 1; a pure function."""


class PositiveRows(Rows):
    """Training events, each with its user's history strictly before it; no labels, since all are positive."""

    def __init__(self, store: Store):
        self.store = store
        self.histories = Histories(store)
        self.rows = store.event_row[store.event_split == 0]  # [E]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        """{column: [B]} of user features, histories [B, max_len]; item [B]."""
        store = self.store
        row = self.rows[index.to(self.rows.device)]
        user = store.user[row].long()
        features = gather_rows(store.user_features, user) | self.histories.before(store.event_start[user], store.history_stop[row])
        return Batch(features, {}, torch.ones(len(row), device=row.device), user, store.item[row].long())


class Sequences(Rows):
    """Windows of each user's training events, cut from the end backwards: every training event is in exactly one.

    A window's history is the window itself, right padded: what stands before position t is what a causal tower sees there, and `seen`
    says how much of that is from before the event's moment.

    Args:
        length: L, events per window; a user's first window may hold fewer.
    """

    def __init__(self, store: Store, length: int):
        self.store = store
        self.histories = Histories(store)
        self.items = _after_padding(store.event_item)
        self.length = length
        users = torch.arange(store.num_users + 1, device=store.event_start.device)
        count = _events_until(store, 0) - store.event_start[:-1]  # [num_users + 1]
        windows = (count + length - 1) // length
        self.user = torch.repeat_interleave(users, windows)  # [W]
        first_window = torch.repeat_interleave(windows.cumsum(0) - windows, windows)
        from_end = windows[self.user] - 1 - (torch.arange(len(self.user), device=users.device) - first_window)  # 0 = a user's last window
        self.stop = store.event_start[self.user] + count[self.user] - from_end * length
        self.start = torch.maximum(self.stop - length, store.event_start[self.user])
        seen = store.history_stop[store.event_row].long()  # [E] number of the first event of the same moment
        event = torch.arange(len(seen), device=seen.device)
        simultaneous = ((seen != event) & (store.event_split[event] == 0)).any()
        self.seen = _after_padding(seen) if simultaneous else None

    def __len__(self) -> int:
        return len(self.user)

    def batch(self, index: Tensor) -> Batch:
        """{column: [B]} of user features, histories [B, L]; item [B, L]; L is the size of the batch's longest window."""
        index = index.to(self.user.device)
        user, start, stop = self.user[index], self.start[index], self.stop[index]
        length = int((stop - start).max())
        items = _window(self.items, start, stop, length)
        features = gather_rows(self.store.user_features, user) | self.histories.before(start, stop, length=length)
        seen = None if self.seen is None else (_window(self.seen, start, stop, length) - start[:, None]).clamp_(min=0)
        return Batch(features, {}, torch.ones(len(user), device=user.device), user, items, seen)


class Evaluated(Protocol):
    """Users or impressions of an evaluation, in batches."""

    def __len__(self) -> int:
        """Number of users or impressions."""

    def batch(self, index: Tensor) -> UserBatch | ImpressionBatch:
        """Users or impressions [B] int64 of these numbers; a pure function."""


class EvaluationUsers:
    """Users who chose something in a split, "val" or "test", as of its start.

    Their histories hold their events of earlier splits from strictly before the first event to find; `known` holds all of earlier splits.
    """

    def __init__(self, store: Store, split: str):
        self.store = store
        self.histories = Histories(store)
        known_stop, relevant_stop = _events_until(store, SPLITS[split] - 1), _events_until(store, SPLITS[split])
        self.user = torch.nonzero(relevant_stop > known_stop).squeeze(1)
        self.known_start = store.event_start[self.user]
        self.known_stop, self.relevant_stop = known_stop[self.user], relevant_stop[self.user]
        self.history_stop = store.history_stop[store.event_row[self.known_stop]]

    def __len__(self) -> int:
        return len(self.user)

    def batch(self, index: Tensor) -> UserBatch:
        """The users [B] int64 of these numbers; a pure function."""
        store = self.store
        index = index.to(self.user.device)
        user, start, cut, stop = self.user[index], self.known_start[index], self.known_stop[index], self.relevant_stop[index]
        features = gather_rows(store.user_features, user) | self.histories.before(start, self.history_stop[index])
        return UserBatch(features, user, known=_distinct_pairs(store, start, cut), relevant=_distinct_pairs(store, cut, stop))


class FirstPages:
    """`EvaluationUsers` with the context of each one's first row in the split: what is known when a page is asked for."""

    def __init__(self, store: Store, split: str):
        self.users = EvaluationUsers(store, split)
        self.rows = first_rows(store, split)
        self.context = {feature.column: store.context_features[feature.column] for feature in store.schema.of("context")}

    def __len__(self) -> int:
        return len(self.users)

    def batch(self, index: Tensor) -> UserBatch:
        """The users [B] int64 of these numbers, context columns among their features; bias columns are left out."""
        batch = self.users.batch(index)
        return replace(batch, features=batch.features | gather_rows(self.context, self.rows[batch.user]))


def first_rows(store: Store, split: str) -> Tensor:
    """First row of each user in a split, -1 where there is none: [num_users + 1] int64."""
    rows = (store.split == SPLITS[split]).nonzero().squeeze(1)  # by user, then time
    user = store.user[rows].long()
    first = torch.ones_like(user, dtype=torch.bool)
    first[1:] = user[1:] != user[:-1]
    row = torch.full((store.num_users + 1,), -1, device=rows.device)
    row[user[first]] = rows[first]
    return row


def _distinct_pairs(store: Store, start: Tensor, stop: Tensor) -> Tensor:
    """[2, P] int64 (row, item entity index): distinct items of the events start : stop [B] of each row, sorted by row, then item."""
    row, event = ranges(start, stop)
    size = store.num_items + 1
    pairs = torch.unique(row * size + store.event_item[event])  # ascending
    return torch.stack([pairs // size, pairs % size])


def _events_until(store: Store, split: int) -> Tensor:
    """End of each user's events in splits 0..split, which stand first among the user's events: [num_users + 1] int64."""
    before = torch.zeros(len(store.event_split) + 1, dtype=torch.int64, device=store.event_split.device)
    torch.cumsum(store.event_split <= split, 0, out=before[1:])
    return store.event_start[:-1] + before[store.event_start[1:]] - before[store.event_start[:-1]]


def gather_rows(columns: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    """Rows [B] int64 of each column, as batches hold them: indices int64, numbers float32."""
    rows = {column: values.index_select(0, index) for column, values in columns.items()}
    return {column: values if values.is_floating_point() else values.long() for column, values in rows.items()}


class Histories:
    """The History features of ranges of events, each one gather."""

    def __init__(self, store: Store):
        self.features = histories(store.schema.features)
        self.values = {of: _after_padding(store.item_features[of][store.event_item]) for of in {feature.of for feature in self.features}}

    def before(self, start: Tensor, stop: Tensor, length: int | None = None) -> dict[str, Tensor]:
        """{column: [B, length] int64} of the last events of start : stop, [B] each; without a length, each feature's max_len."""
        return {feature.column: _window(self.values[feature.of], start, stop, length or feature.max_len) for feature in self.features}


def items_before(store: Store, start: Tensor, stop: Tensor, length: int) -> Tensor:
    """[B, length] int64 item entity index of the last events of start : stop, [B] each; oldest first, 0 on the right."""
    return _window(_after_padding(store.event_item), start, stop, length)


def _after_padding(values: Tensor) -> Tensor:
    """[E + 1]: a zero, then the values of the events."""
    return torch.cat([values.new_zeros(1), values])


def _window(values: Tensor, start: Tensor, stop: Tensor, length: int) -> Tensor:
    """[B, length] int64: values [E + 1] of the last `length` events of start : stop [B], oldest first, 0 on the right."""
    first = torch.maximum(stop - length, start)
    position = torch.arange(length, device=start.device)
    at = (first + 1)[:, None] + position  # [B, L]
    at.masked_fill_(position >= (stop - first)[:, None], 0)
    return values.index_select(0, at.view(-1)).view_as(at).long()
