"""Sums of embeddings beside torch's own."""

import torch
from torch import nn

from recsys.nn.pooling import SumOfEmbeddings, _first_by_count, _first_by_search

INDEX = torch.tensor([[2, 2, 4, 0], [1, 0, 0, 0], [0, 0, 0, 0], [4, 3, 1, 2]])


def test_sum_and_gradient_equal_those_of_an_embedding():
    torch.manual_seed(0)
    table = nn.Embedding(6, 3, padding_idx=0, dtype=torch.float64)
    factor = torch.randn(4, 3, dtype=torch.float64)
    expected = table(INDEX).sum(1)
    (expected * factor).sum().backward()
    gradient, table.weight.grad = table.weight.grad, None
    summed = SumOfEmbeddings.apply(table.weight, INDEX)
    (summed * factor).sum().backward()
    torch.testing.assert_close(summed, expected)
    torch.testing.assert_close(table.weight.grad, gradient)
    assert table.weight.grad[0].tolist() == [0.0, 0.0, 0.0]
    assert table.weight.grad[5].tolist() == [0.0, 0.0, 0.0]  # in no list


def test_entries_begin_where_counting_says_and_where_searching_says():
    # rows 0 to 6: rows 1, 3 and 6 have no entry
    ordered = torch.tensor([0, 0, 2, 4, 4, 4, 5], dtype=torch.int32)
    assert _first_by_count(ordered, 7).tolist() == [0, 2, 2, 3, 3, 6, 7]
    assert _first_by_search(ordered, 7).tolist() == [0, 2, 2, 3, 3, 6, 7]


def test_gradient_never_waits_for_a_device():
    """Tensors of the device `meta` have no values: reading one back, as bincount does, is an error there."""
    table = nn.Embedding(6, 3, device="meta")
    SumOfEmbeddings.apply(table.weight, INDEX.to("meta")).sum().backward()
    assert table.weight.grad.shape == (6, 3)
