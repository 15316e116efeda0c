from itertools import combinations

import pytest
import torch

from recsys.errors import ConfigError
from recsys.nn.cross import CrossNetwork, bi_interaction


def test_full_matrix_by_hand():
    cross = CrossNetwork(2, None, in_dim=2)
    cross.layers[0].weight.data, cross.layers[0].bias.data = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([0.0, 1.0])
    cross.layers[1].weight.data, cross.layers[1].bias.data = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1.0, 0.0])
    # x0 = (1, 2); W x0 + b = (5, 3); x1 = (5, 6) + (1, 2) = (6, 8)
    # W x1 + b = (9, 6); x2 = (9, 12) + (6, 8) = (15, 20)
    assert cross(torch.tensor([[1.0, 2.0]])).tolist() == [[15.0, 20.0]]


def test_low_rank_equals_the_product_matrix():
    torch.manual_seed(0)
    low, full = CrossNetwork(1, 2, in_dim=5), CrossNetwork(1, None, in_dim=5)
    narrow, wide = low.layers[0]
    full.layers[0].weight.data, full.layers[0].bias.data = wide.weight.data @ narrow.weight.data, wide.bias.data
    rows = torch.randn(3, 5)
    torch.testing.assert_close(low(rows), full(rows))
    assert sum(weight.numel() for weight in low.parameters()) == 2 * 5 * 2 + 5


def test_rank_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"rank is 0[^$]*at least 1"):
        CrossNetwork(2, 0, in_dim=4)


def test_pairs_by_hand():
    # (1, 2) (3, 4) + (1, 2) (5, -1) + (3, 4) (5, -1) = (3, 8) + (5, -2) + (15, -4)
    assert bi_interaction(torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, -1.0]]])).tolist() == [[23.0, 2.0]]


def test_sum_is_the_second_order_term_of_a_factorization_machine():
    fields = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    expected = sum((fields[:, i] * fields[:, j]).sum(1) for i, j in combinations(range(4), 2))
    torch.testing.assert_close(bi_interaction(fields).sum(1), expected)


def test_one_field_has_no_pair():
    assert bi_interaction(torch.tensor([[[1.0, -2.0]]])).tolist() == [[0.0, 0.0]]
