"""Users at the first page that a split shows them. B users."""

from dataclasses import replace

import torch
from torch import Tensor

from recsys.batch import UserBatch
from recsys.data.read.rows import SPLITS, EvaluationUsers, gather_rows
from recsys.data.store import Store


class FirstPages:
    """`EvaluationUsers` with the context of each one's first row in the split: what is known when a page is asked for.

    Args:
        store: on any device; batches are made there.
        split: "val" or "test".
    """

    def __init__(self, store: Store, split: str):
        self.users = EvaluationUsers(store, split)
        self.rows = first_rows(store, split)
        self.context = {feature.column: store.context_features[feature.column] for feature in store.schema.of("context")}

    def __len__(self) -> int:
        return len(self.users)

    def batch(self, index: Tensor) -> UserBatch:
        """The users [B] int64 of these numbers, context columns among their features; bias columns are left out."""
        batch = self.users.batch(index)
        return replace(batch, features={**batch.features, **gather_rows(self.context, self.rows[batch.user])})


def first_rows(store: Store, split: str) -> Tensor:
    """First row of each user in a split, -1 where there is none: [num_users + 1] int64."""
    rows = (store.split == SPLITS[split]).nonzero().squeeze(1)  # by user, then time
    user = store.user[rows].long()
    first = torch.ones_like(user, dtype=torch.bool)
    first[1:] = user[1:] != user[:-1]
    row = torch.full((store.num_users + 1,), -1, device=rows.device)
    row[user[first]] = rows[first]
    return row
