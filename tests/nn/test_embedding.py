import pytest
import torch
from torch import nn

from recsys.nn.embedding import ByColumn, SumOfEmbeddings

NAMES = ["type", "items", "training", "user.age", "price", "weight%"]


def test_every_column_name_is_taken():
    modules = {name: nn.Linear(1, 1) for name in NAMES}
    by_column = ByColumn(modules)
    assert [*by_column] == NAMES
    assert dict(by_column.items()) == modules
    assert all(by_column[name] is modules[name] for name in NAMES)
    assert "items" in by_column
    assert "user" not in by_column


def test_ordinary_names_are_those_of_the_weights():
    assert [*ByColumn({"price": nn.Linear(1, 1, bias=False)}).state_dict()] == ["price.weight"]


def test_weights_go_through_a_state(tmp_path):
    one, other = (ByColumn({name: nn.Linear(1, 1) for name in NAMES}) for _ in range(2))
    torch.save(one.state_dict(), tmp_path / "state")
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert all(torch.equal(one[name].weight, other[name].weight) for name in NAMES)


def test_an_unknown_column_is_a_key_error():
    with pytest.raises(KeyError):
        ByColumn({"price": nn.Identity()})["prize"]


def test_a_module_of_two_columns_stands_for_each():
    shared = nn.Identity()
    assert ByColumn({"one": shared, "other": shared}).values() == [shared, shared]


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
