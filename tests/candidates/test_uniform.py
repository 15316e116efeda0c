"""Uniform candidates beside the batch's positives."""

import math

import pytest
import torch

from recsys.candidates.uniform import Uniform

QUERIES = torch.empty(0, 2)  # not read
COUNT = torch.tensor([0, 9, 1, 0, 5, 5, 0, 3, 2])  # 8 items
POSITIVES = torch.tensor([2, 7, 2])


def test_positives_are_certain_and_others_drawn():
    # 3 of 8 items are drawn
    sampled = Uniform(COUNT, 0, num=3).sample(POSITIVES, 0, QUERIES)
    for item, log_q in zip(sampled.items.tolist(), sampled.log_q.tolist()):
        assert math.exp(log_q) == pytest.approx(1.0 if item in (2, 7) else 3 / 8)


def test_small_catalogue_is_taken_whole():
    sampled = Uniform(COUNT, 0, num=100).sample(POSITIVES, 0, QUERIES)
    assert sampled.items.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sampled.log_q.tolist() == [0.0] * 8


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_inclusion_frequency_is_exp_log_q(steps):
    sampler = Uniform(COUNT, 0, num=3)
    seen = torch.zeros(9)
    for step in range(steps):
        seen[sampler.sample(POSITIVES, step, QUERIES).items] += 1
    assert seen[[2, 7]].tolist() == [steps, steps]
    drawn = seen[[1, 3, 4, 5, 6, 8]] / steps
    assert ((drawn - 3 / 8).abs() < 5 * (3 / 8 * 5 / 8 / steps) ** 0.5).all()


def test_weighted_sum_is_that_of_the_catalogue_on_average():
    scores = torch.linspace(-1, 2, 9)
    sampler = Uniform(COUNT, 0, num=3)
    sums = []
    for step in range(1_500):
        sampled = sampler.sample(POSITIVES, step, QUERIES)
        sums.append((scores[sampled.items] - sampled.log_q).exp().sum())
    sums = torch.stack(sums)
    assert abs(sums.mean() - scores[1:].exp().sum()) < 5 * sums.std() / 1_500**0.5
