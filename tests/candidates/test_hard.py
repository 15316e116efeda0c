"""Mined candidates. Vectors of one dimension: an item's score grows with its own vector."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from recsys.candidates import base
from recsys.candidates.hard import Hard

COUNT = torch.tensor([0, 1, 1, 1, 1, 1, 1, 1, 1])  # 8 items
CATALOGUE = torch.tensor([9.0, 1.0, 2.0, 3.0, 4.0, -4.0, -3.0, -2.0, -1.0])[:, None]  # padding would score highest


def hard(num_uniform: int = 1, num_queries: int = 2, num_hard: int = 2) -> Hard:
    sampler = Hard(COUNT, 0, num_uniform=num_uniform, num_queries=num_queries, num_hard=num_hard, refresh_every=10)
    sampler.refresh(CATALOGUE)
    return sampler


def test_mines_the_best_items_beside_the_positive():
    # query +1 with positive 4: best others 3, 2. query -1 with positive 1: best 5, 6
    sampled = hard().sample(torch.tensor([4, 1]), 0, torch.tensor([[1.0], [-1.0]]))
    certain = sampled.items[sampled.log_q == 0].tolist()
    assert certain == [1, 2, 3, 4, 5, 6]


def test_items_that_are_only_drawn_have_the_uniform_probability():
    # 3 of 8 items are drawn; mined: 3 for query +1 with positive 4
    sampler = hard(num_uniform=3, num_queries=1, num_hard=1)
    sampled = sampler.sample(torch.tensor([4]), 0, torch.tensor([[1.0]]))
    others = [log_q for item, log_q in zip(sampled.items.tolist(), sampled.log_q.tolist()) if item not in (3, 4)]
    assert others
    assert [math.exp(log_q) for log_q in others] == pytest.approx([3 / 8] * len(others))


def test_mines_items_of_negative_score_before_padding():
    # all 7 others are asked for; four of them score below 0, the score of a row that only fills up a block
    sampled = hard(num_queries=1, num_hard=7).sample(torch.tensor([4]), 0, torch.tensor([[1.0]]))
    assert sampled.items[sampled.log_q == 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_never_mines_or_draws_items_without_a_training_positive():
    # query +1 with positive 4: items 3 and 5 would be next, and are in no training row
    count = torch.tensor([0, 1, 1, 0, 1, 0, 1, 1, 1])  # 6 items
    sampler = Hard(count, 0, num_uniform=2, num_queries=1, num_hard=2, refresh_every=10)
    sampler.refresh(torch.tensor([9.0, 1.0, 2.0, 3.0, 4.0, 5.0, -3.0, -2.0, -1.0])[:, None])
    seen = {}
    for step in range(30):
        sampled = sampler.sample(torch.tensor([4]), step, torch.tensor([[1.0]]))
        seen |= dict(zip(sampled.items.tolist(), sampled.log_q.exp().tolist()))
    assert seen == pytest.approx({1: 1.0, 2: 1.0, 4: 1.0, 6: 2 / 6, 7: 2 / 6, 8: 2 / 6})


def test_asks_for_no_more_than_the_training_catalogue_has():
    count = torch.tensor([0, 1, 0, 0, 1, 0, 0, 0, 1])  # items 1, 4, 8
    sampler = Hard(count, 0, num_uniform=100, num_queries=1, num_hard=7, refresh_every=10)
    sampler.refresh(CATALOGUE)
    sampled = sampler.sample(torch.tensor([4]), 0, torch.tensor([[1.0]]))
    assert sampled.items.tolist() == [1, 4, 8]
    assert sampled.log_q.tolist() == [0.0] * 3


def test_catalogue_of_several_blocks_is_mined_exactly():
    generator = torch.Generator().manual_seed(0)
    catalogue, queries = torch.randn(301, 4, generator=generator), torch.randn(20, 4, generator=generator)
    positives = torch.randint(1, 301, (20,), generator=generator)
    sampler = Hard(torch.ones(301, dtype=torch.int64), 0, num_uniform=1, num_queries=20, num_hard=3, refresh_every=1)
    sampler.refresh(catalogue)
    sampled = sampler.sample(positives, 0, queries)
    expected = set(positives.tolist())
    for query, positive in zip(queries, positives.tolist()):
        ranked = sorted(range(1, 301), key=lambda item, query=query: -float(catalogue[item] @ query))
        expected |= set([item for item in ranked if item != positive][:3])
    assert set(sampled.items[sampled.log_q == 0].tolist()) == expected


def test_mines_for_other_queries_in_other_steps():
    sampler = hard(num_queries=1, num_hard=1)
    positives, queries = torch.tensor([4, 1]), torch.tensor([[1.0], [-1.0]])
    mined = set()
    for step in range(20):
        sampled = sampler.sample(positives, step, queries)
        mined.add(tuple(sampled.items[sampled.log_q == 0].tolist()))
    assert mined == {(1, 3, 4), (1, 4, 5)}


def test_refresh_keeps_a_copy():
    vectors = CATALOGUE.clone()
    sampler = hard()
    sampler.refresh(vectors)
    vectors.neg_()
    sampled = sampler.sample(torch.tensor([4, 1]), 0, torch.tensor([[1.0], [1.0]]))
    assert sampled.items[sampled.log_q == 0].tolist() == [1, 2, 3, 4]


def test_restored_sampler_mines_what_the_unbroken_one_mines():
    resumed = Hard(COUNT, 0, num_uniform=1, num_queries=2, num_hard=2, refresh_every=10)
    resumed.load_state_dict(hard().state_dict())
    sampled = resumed.sample(torch.tensor([4, 1]), 0, torch.tensor([[1.0], [-1.0]]))
    assert sampled.items[sampled.log_q == 0].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_inclusion_frequency_is_exp_log_q(steps):
    sampler = hard(num_uniform=3, num_queries=1, num_hard=2)
    positives, queries = torch.tensor([4]), torch.tensor([[1.0]])
    seen = torch.zeros(9)
    for step in range(steps):
        seen[sampler.sample(positives, step, queries).items] += 1
    assert seen[[2, 3, 4]].tolist() == [steps] * 3
    drawn = seen[[1, 5, 6, 7, 8]] / steps
    assert ((drawn - 3 / 8).abs() < 5 * (3 / 8 * 5 / 8 / steps) ** 0.5).all()


def test_weighted_sum_is_that_of_the_catalogue_on_average():
    scores = CATALOGUE[:, 0] / 2
    sampler = hard(num_uniform=3, num_queries=1)
    sums = []
    for step in range(1_500):
        sampled = sampler.sample(torch.tensor([4]), step, torch.tensor([[1.0]]))
        sums.append((scores[sampled.items] - sampled.log_q).exp().sum())
    sums = torch.stack(sums)
    assert abs(sums.mean() - scores[1:].exp().sum()) < 5 * sums.std() / 1_500**0.5


class Products(TorchDispatchMode):
    """Counts matrix products."""

    number = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.number += function is torch.ops.aten.mm.default
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("num_rows", "products"), [(1 << 20, 1), (1 << 22, 4)])
def test_a_device_mines_for_many_queries_in_one_product(monkeypatch, num_rows, products):
    # 2^28 scores at once: 256 queries by 2^20 items, or 64 by 2^22; of the device `meta`, whose tensors take no memory
    monkeypatch.setattr(base, "_generator", lambda device: torch.Generator())
    sampler = Hard(torch.ones(65, dtype=torch.int64), 0, num_uniform=1, num_queries=256, num_hard=1, refresh_every=10).to("meta")
    sampler.catalogue, sampler.never = torch.empty(num_rows, 2, device="meta"), torch.empty(num_rows, dtype=torch.bool, device="meta")
    with Products() as counted:
        sampler.sample(torch.empty(300, dtype=torch.int64, device="meta"), 0, torch.empty(300, 2, device="meta"))
    assert counted.number == products
