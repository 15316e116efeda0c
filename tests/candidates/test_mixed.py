"""In-batch and uniform candidates together."""

import pytest
import torch

from recsys.candidates.mixed import Mixed

QUERIES = torch.empty(0, 2)  # not read
COUNT = torch.tensor([0, 12, 6, 0, 1, 1])  # 4 items of training, and item 3


def batches(steps: int, size: int) -> torch.Tensor:
    """[steps, size] positives drawn by training share."""
    generator = torch.Generator().manual_seed(0)
    return torch.multinomial(COUNT.float(), steps * size, replacement=True, generator=generator).view(steps, size)


def test_log_q_is_that_of_either_source():
    # 2 of 4 items drawn, shares 1/2, 1/4, 1/8, 1/8, 2 positives:
    # q_1 = 1 - 1/2 (1/2)^2 = 7/8, q_2 = 1 - 1/2 (3/4)^2 = 23/32, q_4 = q_5 = 1 - 1/2 (7/8)^2 = 79/128
    sampler = Mixed(torch.tensor([0, 4, 2, 0, 1, 1]), 0, num_uniform=2)
    expected = {1: 7 / 8, 2: 23 / 32, 4: 79 / 128, 5: 79 / 128}
    seen = {}
    for step in range(20):
        sampled = sampler.sample(torch.tensor([1, 2]), step, QUERIES)
        seen |= dict(zip(sampled.items.tolist(), sampled.log_q.exp().tolist()))
    assert seen == pytest.approx(expected)


def test_small_catalogue_is_taken_whole():
    sampled = Mixed(COUNT, 0, num_uniform=100).sample(torch.tensor([1, 2]), 0, QUERIES)
    assert sampled.items.tolist() == [1, 2, 4, 5]
    assert sampled.log_q.tolist() == [0.0] * 4


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_inclusion_frequency_is_exp_log_q(steps):
    sampler = Mixed(COUNT, 0, num_uniform=2)
    seen, log_q = torch.zeros(6), torch.zeros(6)
    for step, batch in enumerate(batches(steps, 3)):
        sampled = sampler.sample(batch, step, QUERIES)
        seen[sampled.items] += 1
        log_q[sampled.items] = sampled.log_q
    assert seen[[0, 3]].tolist() == [0, 0]
    trained = [1, 2, 4, 5]
    q = log_q.exp()[trained]
    error = (q * (1 - q) / steps).sqrt()
    assert ((seen[trained] / steps - q).abs() < 5 * error).all()


def test_weighted_sum_is_that_of_the_training_catalogue_on_average():
    scores = torch.tensor([0.0, 0.3, -1.0, 0.7, 1.2, 0.5])
    sampler = Mixed(COUNT, 0, num_uniform=2)
    sums = []
    for step, batch in enumerate(batches(1_500, 3)):
        sampled = sampler.sample(batch, step, QUERIES)
        sums.append((scores[sampled.items] - sampled.log_q).exp().sum())
    sums = torch.stack(sums)
    assert abs(sums.mean() - scores[[1, 2, 4, 5]].exp().sum()) < 5 * sums.std() / 1_500**0.5
