import pytest
import torch

from recsys.optimizer.rowwise_adagrad import RowwiseAdagrad


def test_two_steps_by_hand():
    table = torch.nn.Embedding(3, 2, sparse=True)
    with torch.no_grad():
        table.weight.copy_(torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
    optimizer = RowwiseAdagrad(table.parameters(), lr=0.1, eps=1e-12)
    for _ in range(2):
        optimizer.zero_grad()
        (table(torch.tensor([1])) * torch.tensor([3.0, 4.0])).sum().backward()
        optimizer.step()
    # mean square 12.5 a step; row 1 moves by 0.1 * g / sqrt(12.5), then by 0.1 * g / sqrt(25)
    moved = 0.1 / 12.5**0.5 + 0.1 / 5
    assert table.weight[1].tolist() == pytest.approx([2 - 3 * moved, 2 - 4 * moved])
    assert table.weight[[0, 2]].tolist() == [[1.0, 1.0], [3.0, 3.0]]


def test_a_row_touched_twice_in_a_step_is_updated_once_with_its_summed_gradient():
    table = torch.nn.Embedding(2, 1, sparse=True)
    start = table.weight[1].item()
    optimizer = RowwiseAdagrad(table.parameters(), lr=0.1, eps=1e-12)
    table(torch.tensor([1, 1, 1])).sum().backward()
    optimizer.step()
    assert table.weight[1].item() == pytest.approx(start - 0.1)  # g = 3, sum = 9: 0.1 * 3 / 3


def test_dense_gradient_is_refused_with_the_remedy():
    table = torch.nn.Embedding(2, 1)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match=r"needs sparse gradients, got a dense one; lower model\.sparse_from"):
        RowwiseAdagrad(table.parameters()).step()
