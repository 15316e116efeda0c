"""Coverage, Gini and novelty by hand."""

import pytest
import torch

from recsys.metric.beyond_accuracy import coverage, exposure, gini, novelty, self_information

LISTS = torch.tensor([[1, 2], [1, 3], [1, 0]])  # three users; the last list holds one item only


def test_exposure_counts_the_first_k_without_padding():
    assert exposure(LISTS, 1, 4).tolist() == [3, 0, 0, 0]
    assert exposure(LISTS, 2, 4).tolist() == [3, 1, 1, 0]


def test_coverage_is_share_of_catalogue():
    assert coverage(torch.tensor([3, 1, 1, 0])) == 0.75


def test_gini_by_hand():
    # ascending 0 1 1 3, weights -3 -1 1 3: (0 - 1 + 1 + 9) / (4 * 5)
    assert gini(torch.tensor([3, 1, 1, 0])) == pytest.approx(9 / 20, abs=1e-15)
    assert gini(torch.tensor([7, 7, 7])) == 0.0


def test_novelty_is_mean_bits_of_what_is_listed():
    bits = self_information(torch.tensor([0, 5, 1, 0, 2]))  # + 1 each: 6 2 1 3 of 12

    assert bits.tolist() == pytest.approx([0, 1.0, torch.log2(torch.tensor(6.0)).item(), 3.584962500721156, 2.0], abs=1e-6)
    got = novelty(LISTS, [1, 2], bits)
    assert got[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert got[1, 1].item() == pytest.approx((1 + 3.584962500721156) / 2, abs=1e-12)
    assert got[2, 1].item() == 1.0


def test_novelty_of_an_empty_list_is_zero():
    assert novelty(torch.tensor([[0, 0]]), [2], self_information(torch.tensor([0, 4, 9]))).tolist() == [[0.0]]
