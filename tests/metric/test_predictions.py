import torch

from recsys.metric.predictions import Predictions


def test_rows_come_in_the_order_of_their_numbers():
    kept = Predictions(2)
    kept.update(torch.tensor([2, 0]), torch.tensor([[5.0, 6.0], [1.0, 2.0]]))
    kept.update(torch.tensor([1]), torch.tensor([[3.0, 4.0]]))
    assert kept.compute().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_row_that_comes_twice_counts_once():
    kept = Predictions(1)
    kept.update(torch.tensor([0, 1, 0]), torch.tensor([[1.0], [2.0], [1.0]]))
    assert kept.compute().tolist() == [[1], [2]]


def test_no_rows_are_an_empty_table():
    assert Predictions(3).compute().shape == (0, 3)


def test_values_are_of_the_type_asked_for_even_where_there_are_none():
    assert Predictions(3).compute().dtype == torch.float32
    kept = Predictions(1, dtype=torch.float64)
    assert kept.compute().dtype == torch.float64  # processes exchange tensors of one type
    kept.update(torch.tensor([0]), torch.tensor([[0.1]], dtype=torch.float64))
    assert kept.compute().item() == 0.1
