import torch
from torch import nn

from recsys.nn.pooling import SumOfEmbeddings

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
