"""What an evaluation asks of the users of a batch."""

import torch
from torch import Tensor

from recsys.batch import UserBatch


def question(batch: UserBatch, *, exclude_known: bool, num_items: int) -> tuple[Tensor, Tensor]:
    """What may not be recommended to the users of a batch, and what they have to be shown: [2, P] pairs (row, item) each."""
    known = batch.known if exclude_known else batch.known[:, :0]
    return known, _without(batch.relevant, known, num_items)


def _without(pairs: Tensor, others: Tensor, num_items: int) -> Tensor:
    """[2, P] pairs (row, item) that are not among the others."""
    key, other = (row * (num_items + 1) + item for row, item in (pairs, others))
    return pairs[:, ~torch.isin(key, other)]
