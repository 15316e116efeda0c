"""What every sampler promises, and the draws they share. Catalogue of 6 items; item 6 has no training positive."""

from collections import Counter

import pytest
import torch

from recsys.candidates import base, hard, in_batch, mixed, queue, uniform
from recsys.candidates.base import (
    Candidates,
    draw_at_once,
    draw_uniform,
    log_absence,
    log_inclusion,
    merge,
    merge_at_fixed_length,
    step_generator,
    trained_items,
)
from recsys.candidates.full import Full
from recsys.candidates.hard import Hard
from recsys.candidates.in_batch import InBatch
from recsys.candidates.mixed import Mixed
from recsys.candidates.queue import Queue
from recsys.candidates.uniform import Uniform
from recsys.errors import ConfigError

COUNT = torch.tensor([0, 8, 4, 2, 1, 1, 0])
POSITIVES = torch.tensor([5, 1, 5, 2])
QUERIES = torch.eye(4, 3)
CPU = torch.device("cpu")


def make(name: str, seed: int = 0) -> Candidates:
    """A sampler by the name of its file."""
    if name == "hard":
        hard = Hard(COUNT, seed, num_uniform=2, num_queries=2, num_hard=1, refresh_every=10)
        hard.refresh(torch.linspace(-1, 1, 21).view(7, 3).sin())  # item 6 scores highest for every query
        return hard
    return {
        "full": lambda: Full(COUNT, seed),
        "in_batch": lambda: InBatch(COUNT, seed),
        "mixed": lambda: Mixed(COUNT, seed, num_uniform=2),
        "queue": lambda: Queue(COUNT, seed, size=4),
        "uniform": lambda: Uniform(COUNT, seed, num=2),
    }[name]()


every_sampler = pytest.mark.parametrize("name", ["full", "hard", "in_batch", "mixed", "queue", "uniform"])


@every_sampler
def test_items_are_distinct_ascending_and_never_padding(name):
    sampler = make(name)
    for step in range(20):
        items = sampler.sample(POSITIVES, step, QUERIES).items
        assert items.dtype == torch.int64
        assert items[0] >= 1
        assert items[-1] <= 6
        assert (items.diff() > 0).all()


@every_sampler
def test_item_without_a_training_positive_is_never_a_candidate(name):
    sampler = make(name)
    seen = set()
    for step in range(50):
        seen |= set(sampler.sample(POSITIVES, step, QUERIES).items.tolist())
    assert 6 not in seen
    assert seen >= {1, 2, 5}  # it does not follow from finding nothing


@every_sampler
def test_positives_stand_where_positive_at_says(name):
    sampler = make(name)
    for step in range(20):
        sampled = sampler.sample(POSITIVES, step, QUERIES)
        assert sampled.items[sampled.positive_at].tolist() == [5, 1, 5, 2]


@every_sampler
def test_log_q_is_the_logarithm_of_a_probability(name):
    sampled = make(name).sample(POSITIVES, 0, QUERIES)
    assert sampled.log_q.dtype == torch.float32
    assert sampled.log_q.shape == sampled.items.shape
    assert sampled.log_q.isfinite().all()
    assert (sampled.log_q <= 0).all()


@every_sampler
def test_same_seed_and_step_draw_the_same(name):
    first = make(name).sample(POSITIVES, 3, QUERIES)
    torch.manual_seed(1)  # the global generator must not matter
    again = make(name).sample(POSITIVES, 3, QUERIES)
    assert all(torch.equal(a, b) for a, b in zip(first, again))


@every_sampler
def test_sampling_leaves_the_global_generator_alone(name):
    sampler = make(name)
    before = torch.get_rng_state()
    sampler.sample(POSITIVES, 3, QUERIES)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["hard", "mixed", "uniform"])
def test_other_seeds_and_steps_draw_other_items(name):
    def draws(seed: int, steps: range) -> list[list[int]]:
        sampler = make(name, seed)
        return [sampler.sample(POSITIVES, step, QUERIES).items.tolist() for step in steps]

    same_step = [draws(seed, range(1))[0] for seed in range(20)]
    assert len({tuple(items) for items in same_step}) > 1
    assert draws(0, range(20)) != draws(1, range(20))
    assert len({tuple(items) for items in draws(0, range(20))}) > 1


def test_generator_of_another_rank_draws_other_numbers(monkeypatch):
    here = torch.rand(4, generator=step_generator(0, 0, torch.device("cpu")))
    monkeypatch.setattr("recsys.candidates.base.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("recsys.candidates.base.distributed.get_rank", lambda: 1)
    assert not torch.equal(torch.rand(4, generator=step_generator(0, 0, torch.device("cpu"))), here)


@pytest.mark.parametrize(("num", "num_items"), [(1, 1), (2, 5), (3, 5), (5, 5), (300, 1000)])
def test_draw_uniform_gives_that_many_distinct_items(num, num_items):
    for seed in range(50):
        catalogue = 10 * torch.arange(1, num_items + 1)  # 10, 20, ...
        drawn = draw_uniform(num, catalogue, torch.Generator().manual_seed(seed)).tolist()
        assert len(set(drawn)) == num == len(drawn)
        assert set(drawn) <= set(range(10, 10 * num_items + 1, 10))


def test_draw_uniform_takes_every_pair_equally_often():
    # 2 of 5 items: 10 pairs, each in 1/10 of 5,000 draws; standard error sqrt(5000 * 0.1 * 0.9) = 21.2
    pairs = Counter()
    for seed in range(5000):
        pairs[tuple(sorted(draw_uniform(2, torch.tensor([1, 3, 4, 7, 9]), torch.Generator().manual_seed(seed)).tolist()))] += 1
    assert set(pairs) == {(1, 3), (1, 4), (1, 7), (1, 9), (3, 4), (3, 7), (3, 9), (4, 7), (4, 9), (7, 9)}
    assert all(abs(times - 500) < 5 * 21.2 for times in pairs.values())


def test_trained_items_are_those_with_a_training_positive():
    assert trained_items(COUNT).tolist() == [1, 2, 3, 4, 5]


def test_merge_keeps_each_item_once_and_drops_padding():
    items, positive_at = merge(8, torch.tensor([7, 3, 7]), torch.tensor([0, 3, 5]))
    assert items.tolist() == [3, 5, 7]
    assert positive_at.tolist() == [2, 0, 2]


@pytest.mark.parametrize(
    ("positives", "others", "items"),
    [
        ([7, 3, 7], [0, 3, 5], [3, 5, 7, 0, 0, 0]),
        ([7, 7, 7], [], [7, 0, 0]),
        ([1, 2, 3, 4], [5, 6, 7, 1, 1], [1, 2, 3, 4, 5, 6, 7]),  # 9 entries, and no more than 7 items
    ],
)
def test_merge_at_fixed_length_fills_up_behind_the_items(positives, others, items):
    groups = torch.tensor(positives), torch.tensor(others, dtype=torch.int64)
    merged, positive_at = merge_at_fixed_length(8, *groups)
    assert merged.tolist() == items
    assert positive_at.tolist() == [items.index(positive) for positive in positives]
    assert positive_at.tolist() == merge(8, *groups)[1].tolist()


@every_sampler
def test_candidates_of_fixed_length_are_the_others_and_padding(name, monkeypatch):
    plain = [make(name).sample(POSITIVES, step, QUERIES) for step in range(5)]
    for module in (in_batch, mixed, queue, hard, uniform):
        monkeypatch.setattr(module, "merge", merge_at_fixed_length)
    padded = [make(name).sample(POSITIVES, step, QUERIES) for step in range(5)]
    assert len({len(sampled.items) for sampled in padded}) == 1
    for with_padding, without in zip(padded, plain):
        size = len(without.items)
        assert with_padding.items[:size].tolist() == without.items.tolist()
        assert with_padding.log_q[:size].tolist() == without.log_q.tolist()
        assert with_padding.positive_at.tolist() == without.positive_at.tolist()
        assert with_padding.items[size:].tolist() == [0] * (len(with_padding.items) - size)
        assert (with_padding.log_q[size:] == torch.inf).all()


def test_draw_at_once_takes_every_pair_equally_often():
    # 15 pairs of 6 items, 3,000 draws: 200 of each; chi-square of 14 degrees of freedom is above 36.1 in 1 of 1,000 cases
    catalogue = torch.tensor([2, 3, 5, 7, 11, 13])
    pairs = Counter(tuple(sorted(draw_at_once(2, catalogue, step_generator(0, step, CPU)).tolist())) for step in range(3_000))
    assert len(pairs) == 15
    assert sum((count - 200) ** 2 / 200 for count in pairs.values()) < 36.1


@pytest.mark.parametrize(("num", "num_items"), [(1, 2), (50, 100), (1_000, 20_000)])
def test_draw_at_once_gives_that_many_distinct_items(num, num_items):
    for step in range(20):
        drawn = draw_at_once(num, torch.arange(1, num_items + 1), step_generator(1, step, CPU))
        assert len(set(drawn.tolist())) == len(drawn) == num


def test_every_step_seeds_the_one_generator_anew():
    first, second = step_generator(3, 0, CPU), step_generator(3, 1, CPU)
    assert first is second
    drawn = torch.rand(3, generator=second)
    assert torch.equal(torch.rand(3, generator=step_generator(3, 1, CPU)), drawn)
    assert not torch.equal(torch.rand(3, generator=step_generator(3, 0, CPU)), drawn)


def test_log_inclusion_keeps_rare_items_exact():
    # an item with 1 of 100 million positives: q = 1 - (1 - 1e-8)^10 = 1e-7 to 8 digits; 1 - p itself is 1 in float32
    missed = 10 * log_absence(torch.tensor([0, 1, 99_999_999]))
    assert log_inclusion(missed)[1].item() == pytest.approx(-16.118095651, rel=1e-6)
    assert log_inclusion(missed)[2].item() == pytest.approx(0.0)


def test_sizes_below_1_are_refused_together():
    with pytest.raises(ConfigError) as error:
        Hard(COUNT, 0, num_uniform=0, num_queries=2, num_hard=-1, refresh_every=10)
    assert [fault.where for fault in error.value.faults] == ["num_uniform", "num_hard"]


@pytest.mark.parametrize(
    "make_empty", [lambda: Uniform(COUNT, 0, num=0), lambda: Mixed(COUNT, 0, num_uniform=0), lambda: Queue(COUNT, 0, size=0)]
)
def test_no_candidates_at_all_are_refused(make_empty):
    with pytest.raises(ConfigError, match="at least 1"):
        make_empty()


@pytest.mark.gpu
@every_sampler
def test_sampler_on_cuda_answers_there(name):
    sampler = make(name).cuda()
    sampled = sampler.sample(POSITIVES.cuda(), 0, QUERIES.cuda())
    assert {part.device.type for part in sampled} == {"cuda"}
    assert sampled.items[sampled.positive_at].tolist() == [5, 1, 5, 2]


@every_sampler
def test_sampler_never_waits_for_a_device(name, monkeypatch):
    """Tensors of the device `meta` have no values: reading one back, or giving as many entries as a value says, is an error there."""
    monkeypatch.setattr(base, "_generator", lambda device: torch.Generator())  # there is none of that device
    sampled = make(name).to("meta").sample(POSITIVES.to("meta"), 0, QUERIES.to("meta"))
    assert {part.device.type for part in sampled} == {"meta"}
    assert len(sampled.items) == len(sampled.log_q) == {"full": 5, "in_batch": 4}.get(name, 6)
