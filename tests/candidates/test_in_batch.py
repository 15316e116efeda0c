"""Positives as candidates of each other."""

import math

import pytest
import torch

from recsys.candidates.in_batch import InBatch

QUERIES = torch.empty(0, 2)  # not read


def test_log_q_is_that_of_being_among_the_positives():
    # shares 1/2, 1/4, 1/4; 3 positives: q_1 = 1 - (1/2)^3 = 7/8, q_2 = 1 - (3/4)^3 = 37/64
    sampled = InBatch(torch.tensor([0, 2, 1, 1]), 0).sample(torch.tensor([2, 1, 2]), 0, QUERIES)
    assert sampled.items.tolist() == [1, 2]
    assert sampled.log_q.exp().tolist() == pytest.approx([7 / 8, 37 / 64])


def test_log_q_is_finite_for_a_positive_that_training_never_saw():
    # counts as seen once among 4: q = 1 - (3/4)^1
    sampled = InBatch(torch.tensor([0, 2, 2, 0]), 0).sample(torch.tensor([3]), 0, QUERIES)
    assert sampled.log_q.exp().tolist() == pytest.approx([1 / 4])


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_inclusion_frequency_is_exp_log_q(steps):
    count = torch.tensor([0, 50, 30, 15, 5])
    sampler, size = InBatch(count, 0), 6
    positives = torch.multinomial(count.float(), steps * size, replacement=True, generator=torch.Generator().manual_seed(0))
    seen, log_q = torch.zeros(5), torch.zeros(5)
    for step, batch in enumerate(positives.view(steps, size)):
        sampled = sampler.sample(batch, step, QUERIES)
        seen[sampled.items] += 1
        log_q[sampled.items] = sampled.log_q
    q = log_q.exp()[1:]
    error = (q * (1 - q) / steps).sqrt()
    assert ((seen[1:] / steps - q).abs() < 5 * error).all()


def test_weighted_sum_is_that_of_the_catalogue_on_average():
    count = torch.tensor([0, 50, 30, 15, 5])
    scores = torch.tensor([0.0, 0.3, -1.0, 0.7, 1.2])
    truth = sum(math.exp(score) for score in (0.3, -1.0, 0.7, 1.2))
    sampler = InBatch(count, 0)
    generator = torch.Generator().manual_seed(0)
    batches = torch.multinomial(count.float(), 1_500 * 6, replacement=True, generator=generator).view(1_500, 6)
    sums = []
    for step, batch in enumerate(batches):
        sampled = sampler.sample(batch, step, QUERIES)
        sums.append((scores[sampled.items] - sampled.log_q).exp().sum())
    sums = torch.stack(sums)
    assert abs(sums.mean().item() - truth) < 5 * sums.std().item() / 1_500**0.5
