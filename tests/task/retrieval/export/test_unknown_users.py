"""Lists of test users under an unknown id."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from recsys.batch import UserBatch
from recsys.model.two_tower import TwoTower
from recsys.schema import Categorical, Schema, Statistics
from recsys.task.retrieval.export.unknown_users import unknown_users
from recsys.tower.embedding import EmbeddingTower

SCHEMA = Schema("u", "i", features=(Categorical("u", "user"), Categorical("i", "item"))).fitted(
    {"u": Statistics("int64", 5), "i": Statistics("int64", 42)}
)
ITEMS = {"i": torch.arange(1, 42)}
"""By catalogue index, whose first row pads; the vocabulary index is one more."""


def test_recall_under_an_unknown_id_beside_popularity_and_the_own_id():
    """Forty items on a line: known users want high ones, the unknown id wants low ones, and popular are the last ten."""
    model = TwoTower(
        *[partial(EmbeddingTower, 0.0)] * 2,
        dim=1,
        embedding_dim=1,
        normalize=False,
        share_item_table=True,
        id_dropout=0.0,
        sparse_from=99,
        schema=SCHEMA,
    ).eval()
    with torch.no_grad():
        model.item_tower.encoder.parts["i"].table.weight[:] = torch.arange(42.0)[:, None]
        model.user_tower.encoder.parts["u"].table.weight[:] = torch.tensor([[0.0], [-1.0], [1.0], [1.0], [1.0]])
    count = torch.zeros(41)
    count[31:] = 1
    known = torch.tensor([[0], [40]])  # (user of the batch, item)
    relevant = torch.tensor([[0, 0, 1, 1], [1, 39, 35, 36]])
    users = UserBatch({"u": torch.tensor([2, 3])}, torch.tensor([1, 2]), known, relevant)
    items = model.catalogue(ITEMS)
    figures = unknown_users(model, items, users, count, SCHEMA)
    # own id: items 39..20 and 40..21; unknown id: 1..20 for both; popularity: 31..40, then ties of all others, whose expected place counts
    assert (figures["known"], figures["recall"]) == (pytest.approx((1 / 2 + 1) / 2), pytest.approx((1 / 2 + 0) / 2))
    assert 0.75 < figures["popularity"] < 1
    assert (figures["k"], figures["users"]) == (20, 2)
    alike = unknown_users(model, items, replace(users, features={"u": torch.tensor([1, 1])}), count, SCHEMA)
    assert alike["known"] == alike["recall"]
