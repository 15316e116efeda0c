"""Bootstrap intervals against scipy and theory."""

import numpy as np
import pytest
import scipy.stats
import torch

from recsys.metric.bootstrap import bootstrap_interval


def test_interval_agrees_with_scipy():
    values = torch.rand(400, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) ** 3

    low, high = bootstrap_interval(values, resamples=4000)

    for column in range(2):
        theirs = scipy.stats.bootstrap(
            (values[:, column].numpy(),), np.mean, n_resamples=4000, method="percentile", rng=0
        ).confidence_interval
        width = theirs.high - theirs.low  # both are random: a few per cent of the width apart
        assert low[column].item() == pytest.approx(theirs.low, abs=0.05 * width)
        assert high[column].item() == pytest.approx(theirs.high, abs=0.05 * width)


def test_interval_does_not_depend_on_other_metrics_or_threads():
    values = torch.rand(1000, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 20
    threads = torch.get_num_threads()

    low, high = bootstrap_interval(values)
    torch.set_num_threads(1)
    try:
        alone_low, alone_high = bootstrap_interval(values[:, 1:2])
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(low[1:2], alone_low)
    assert torch.equal(high[1:2], alone_high)


def test_interval_of_a_constant_is_a_point():
    low, high = bootstrap_interval(torch.full((50, 1), 0.25, dtype=torch.float64))

    assert low.tolist() == high.tolist() == [0.25]


def test_same_seed_gives_the_same_interval():
    values = torch.rand(100, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    assert torch.equal(bootstrap_interval(values)[0], bootstrap_interval(values)[0])
    assert not torch.equal(bootstrap_interval(values)[0], bootstrap_interval(values, seed=1)[0])
