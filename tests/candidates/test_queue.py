"""Positives of earlier steps as candidates."""

import pytest
import torch

from recsys.candidates.queue import Queue

QUERIES = torch.empty(0, 2)  # not read
COUNT = torch.tensor([0, 50, 30, 15, 5])


def test_queue_keeps_the_newest_positives():
    sampler = Queue(COUNT, 0, size=3)
    seen = [sampler.sample(torch.tensor(batch), step, QUERIES).items.tolist() for step, batch in enumerate([[1, 2], [3, 3], [4, 4]])]
    # the queue before each step: nothing; 1 2; 2 3 3
    assert seen == [[1, 2], [1, 2, 3], [2, 3, 4]]


def test_queue_shorter_than_a_batch_keeps_its_last_positives():
    sampler = Queue(COUNT, 0, size=2)
    sampler.sample(torch.tensor([1, 2, 3, 4]), 0, QUERIES)
    assert sampler.sample(torch.tensor([1]), 1, QUERIES).items.tolist() == [1, 3, 4]


def test_log_q_counts_the_places_in_use():
    # shares 1/2, 1/4, 1/4. First step: 2 draws; second: 2 + 2 queued: q_1 = 1 - (1/2)^n, q_2 = 1 - (3/4)^n
    sampler = Queue(torch.tensor([0, 2, 1, 1]), 0, size=10)
    first = sampler.sample(torch.tensor([1, 2]), 0, QUERIES)
    second = sampler.sample(torch.tensor([1, 2]), 1, QUERIES)
    assert first.log_q.exp().tolist() == pytest.approx([3 / 4, 7 / 16])
    assert second.log_q.exp().tolist() == pytest.approx([15 / 16, 175 / 256])


def test_restored_queue_continues_as_the_unbroken_one():
    whole = Queue(COUNT, 0, size=3)
    whole.sample(torch.tensor([1, 4]), 0, QUERIES)
    resumed = Queue(COUNT, 0, size=3)
    resumed.load_state_dict(whole.state_dict())
    ahead, again = (sampler.sample(torch.tensor([2]), 1, QUERIES) for sampler in (whole, resumed))
    assert again.items.tolist() == ahead.items.tolist() == [1, 2, 4]
    assert torch.equal(again.log_q, ahead.log_q)


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_inclusion_frequency_is_exp_log_q(steps):
    sampler, size = Queue(COUNT, 0, size=4), 2
    positives = torch.multinomial(COUNT.float(), steps * size, replacement=True, generator=torch.Generator().manual_seed(0))
    seen, log_q = torch.zeros(5), torch.zeros(5)
    for step, batch in enumerate(positives.view(steps, size)):
        sampled = sampler.sample(batch, step, QUERIES)
        seen[sampled.items] += 1
        log_q[sampled.items] = sampled.log_q
    q = log_q.exp()[1:]
    # a positive stays for 3 steps, so only every third step is independent
    error = (q * (1 - q) / (steps / 3)).sqrt()
    assert ((seen[1:] / steps - q).abs() < 5 * error).all()


def test_weighted_sum_is_that_of_the_catalogue_on_average():
    scores = torch.tensor([0.0, 0.3, -1.0, 0.7, 1.2])
    sampler, generator = Queue(COUNT, 0, size=4), torch.Generator().manual_seed(0)
    batches = torch.multinomial(COUNT.float(), 4_500 * 2, replacement=True, generator=generator).view(4_500, 2)
    sums = []
    for step, batch in enumerate(batches):
        sampled = sampler.sample(batch, step, QUERIES)
        sums.append((scores[sampled.items] - sampled.log_q).exp().sum())
    sums = torch.stack(sums)[2::3]  # every third step is independent
    assert abs(sums.mean() - scores[1:].exp().sum()) < 5 * sums.std() / len(sums) ** 0.5
