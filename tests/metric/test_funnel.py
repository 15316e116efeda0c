import torch

from recsys.metric.funnel import Predictions, targets
from recsys.schema import Label, chains

LABELS = (Label("click"), Label("buy", given="click"), Label("spend", given="buy", kind="regression"))
ACTUAL = {
    "click": torch.tensor([1.0, 1.0, 0.0, 1.0, torch.nan]),
    "buy": torch.tensor([1.0, 0.0, 0.0, torch.nan, 0.0]),
    "spend": torch.tensor([30.0, 0.0, 0.0, 0.0, 0.0]),
}
PREDICTED = {
    "click": torch.tensor([0.5, 0.4, 0.2, 0.1, 0.1], dtype=torch.float64),
    "buy": torch.tensor([0.5, 0.25, 0.5, 0.1, 0.1], dtype=torch.float64),
    "spend": torch.tensor([20.0, 10.0, 40.0, 1.0, 1.0], dtype=torch.float64),
}


def targets_by_name():
    return {target.name: target for target in targets(LABELS, PREDICTED, ACTUAL)}


def test_a_chain_begins_with_the_label_that_is_given_none():
    assert chains(LABELS)["spend"] == ("click", "buy", "spend")


def test_names_are_columns_and_funnels():
    assert [*targets_by_name()] == ["click", "buy", "click_buy", "spend", "click_buy_spend"]


def test_a_label_is_measured_where_the_given_one_is_1_and_none_is_missing():
    assert targets_by_name()["click"].rows.tolist() == [True, True, True, True, False]
    assert targets_by_name()["buy"].rows.tolist() == [True, True, False, False, False]
    assert targets_by_name()["spend"].rows.tolist() == [True, False, False, False, False]


def test_a_funnel_is_measured_over_all_known_rows():
    funnel = targets_by_name()["click_buy"]
    assert funnel.rows.tolist() == [True, True, True, False, False]
    assert funnel.actual[funnel.rows].tolist() == [1, 0, 0]
    assert funnel.predicted[funnel.rows].tolist() == [0.25, 0.1, 0.1]


def test_an_expected_number_is_the_product_of_the_chain():
    funnel = targets_by_name()["click_buy_spend"]
    assert not funnel.binary
    assert funnel.predicted[:3].tolist() == [5.0, 1.0, 4.0]
    assert funnel.actual[:3].tolist() == [30.0, 0.0, 0.0]


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
