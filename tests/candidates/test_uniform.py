"""Uniform candidates beside the batch's positives."""

import math

import pytest
import torch

from recsys.candidates.uniform import Uniform

QUERIES = torch.empty(0, 2)  # not read
COUNT = torch.tensor([0, 9, 1, 0, 5, 5, 0, 3, 2])  # 6 items of training, and items 3 and 6
POSITIVES = torch.tensor([2, 7, 2])


def test_positives_are_certain_and_others_drawn():
    # 2 of 6 items are drawn; among 20 draws of 2 some are neither of the positives
    sampler = Uniform(COUNT, 0, num=2)
    seen = {}
    for step in range(20):
        sampled = sampler.sample(POSITIVES, step, QUERIES)
        seen |= dict(zip(sampled.items.tolist(), map(math.exp, sampled.log_q.tolist())))
    assert seen == pytest.approx({1: 1 / 3, 2: 1.0, 4: 1 / 3, 5: 1 / 3, 7: 1.0, 8: 1 / 3})


def test_small_catalogue_is_taken_whole():
    sampled = Uniform(COUNT, 0, num=100).sample(POSITIVES, 0, QUERIES)
    assert sampled.items.tolist() == [1, 2, 4, 5, 7, 8]
    assert sampled.log_q.tolist() == [0.0] * 6


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_inclusion_frequency_is_exp_log_q(steps):
    sampler = Uniform(COUNT, 0, num=2)
    seen = torch.zeros(9)
    for step in range(steps):
        seen[sampler.sample(POSITIVES, step, QUERIES).items] += 1
    assert seen[[2, 7]].tolist() == [steps, steps]
    assert seen[[0, 3, 6]].tolist() == [0, 0, 0]
    drawn = seen[[1, 4, 5, 8]] / steps
    assert ((drawn - 1 / 3).abs() < 5 * (1 / 3 * 2 / 3 / steps) ** 0.5).all()


def test_weighted_sum_is_that_of_the_training_catalogue_on_average():
    scores = torch.linspace(-1, 2, 9)
    sampler = Uniform(COUNT, 0, num=2)
    sums = []
    for step in range(1_500):
        sampled = sampler.sample(POSITIVES, step, QUERIES)
        sums.append((scores[sampled.items] - sampled.log_q).exp().sum())
    sums = torch.stack(sums)
    assert abs(sums.mean() - scores[COUNT > 0].exp().sum()) < 5 * sums.std() / 1_500**0.5
