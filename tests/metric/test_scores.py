"""Scores do not depend on their place in a tile, on autocast or on the matmul precision."""

import pytest
import torch

from recsys.metric.scores import DotProduct
from recsys.metric.top_k import top_k

NOTHING = torch.empty((2, 0), dtype=torch.int64)


def test_score_does_not_depend_on_its_place_in_a_tile():
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(256, 64, generator=generator), torch.randn(5000, 64, generator=generator)
    shuffled_users, shuffled_items = torch.randperm(256, generator=generator), torch.randperm(4999, generator=generator) + 1
    moved = torch.cat([items[:1], items[shuffled_items]])

    here = top_k(DotProduct(users, items), 4999, known=NOTHING, relevant=NOTHING).scores
    there = top_k(DotProduct(users[shuffled_users], moved), 4999, known=NOTHING, relevant=NOTHING).scores

    assert torch.equal(here[shuffled_users], there)


def test_products_stay_in_float32_under_autocast_and_reduced_precision():
    users, items = torch.full((256, 64), 1 + 2.0**-12), torch.eye(64)  # bfloat16 keeps 8 bits: 1
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            top = top_k(DotProduct(users, items), 1, known=NOTHING, relevant=NOTHING)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")

    assert (top.scores == 1 + 2.0**-12).all()


def test_different_dims_are_refused():
    with pytest.raises(ValueError, match="same dim, got 8 and 16"):
        DotProduct(torch.zeros(2, 8), torch.zeros(3, 16))
