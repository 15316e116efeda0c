"""Test data as a server is asked about it. U users, N rows, L list length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from recsys.schema import Schema, chains


@dataclass(frozen=True)
class UserQuestions:
    """Test users as a server is asked about them.

    Attributes:
        raw: {column: [U] or [U, L]} raw values.
        exclude: per user the raw ids that must not be answered.
        relevant: per user the raw ids that were chosen; at least one.
        items: {column: [M] or [M, L]} raw values of items, for the item tower.
    """

    raw: Mapping[str, np.ndarray]
    exclude: Sequence[Sequence[Any]]
    relevant: Sequence[Sequence[Any]]
    items: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RowQuestions:
    """Test rows as a server is asked about them.

    Attributes:
        raw: {column: [N] or [N, L]} raw values.
        labels: {label: [N] float32}, NaN where missing.
        user: [N] int64, drawn again as a whole; None: each row alone.
    """

    raw: Mapping[str, np.ndarray]
    labels: Mapping[str, Tensor]
    user: Tensor | None

    def __len__(self) -> int:
        return len(next(iter(self.labels.values())))


def targets(
    schema: Schema, labels: Mapping[str, Tensor], kind: Literal["binary", "regression"] = "binary"
) -> dict[str, tuple[Tensor, Tensor]]:
    """{output of a ranker: what came of each row [N], and where that counts [N] bool}, of labels of this kind and of their funnels.

    A label counts in the rows where the one it is given is 1, its funnel in all; where it is missing neither does.
    """
    wanted = {label.column for label in schema.labels if label.kind == kind}
    found = {}
    for column, chain in chains(schema.labels).items():
        if column in wanted:
            reached = torch.stack([torch.ones_like(labels[column]), *(labels[given] for given in chain[:-1])]).eq(1).all(0)
            whole = torch.stack([labels[name].nan_to_num() for name in chain]).prod(0)
            found[column] = (labels[column], reached & ~labels[column].isnan())
            # a later step of a funnel that ended is no conversion, whether or not it was written down
            ended = torch.stack([labels[name] == 0 for name in chain]).any(0)
            known = torch.stack([~labels[name].isnan() for name in chain]).all(0)
            found.setdefault("_".join(chain), (whole, ended | known))
    return found
