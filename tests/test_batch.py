import torch

from recsys.batch import Batch, Catalogue, KnownItems

# user 1 knows 2 and 5, user 2 nothing, user 3 knows 4
KNOWN = KnownItems(start=torch.tensor([0, 0, 2, 2, 3]), item=torch.tensor([2, 5, 4]))


def test_pairs_follow_the_asked_users():
    assert KNOWN.pairs(torch.tensor([3, 2, 1, 1])).tolist() == [[0, 2, 2, 3, 3], [4, 2, 5, 2, 5]]


def test_columns_are_known_candidates_without_the_own_positive():
    # candidates 2, 4, 5; user 1 with positive 5 keeps 2; user 3 with positive 2 keeps 4; user 1 with positive 4 keeps both
    columns = KNOWN.columns(torch.tensor([1, 3, 1]), torch.tensor([2, 4, 5]), torch.tensor([2, 0, 1]))
    assert columns.tolist() == [[0, 1, 2, 2], [0, 1, 0, 2]]


def test_an_item_outside_the_candidates_is_no_column():
    assert KNOWN.columns(torch.tensor([1]), torch.tensor([3, 4]), torch.tensor([0])).tolist() == [[], []]


def test_catalogue_rows_keep_list_columns():
    catalogue = Catalogue({"id": torch.tensor([0, 2, 3]), "tags": torch.tensor([[0, 0], [1, 2], [3, 0]])}, torch.tensor([0, 5, 6]))
    rows = catalogue.rows(torch.tensor([2, 1]))
    assert rows["id"].tolist() == [3, 2]
    assert rows["tags"].tolist() == [[3, 0], [1, 2]]


def test_moving_a_batch_moves_nested_tensors():
    batch = Batch({"a": torch.ones(2)}, {}, torch.ones(2), torch.ones(2), torch.ones(2)).to(torch.device("meta"))
    assert batch.features["a"].device.type == batch.weight.device.type == "meta"


def test_known_items_are_found_before_the_padding_of_candidates():
    # user 1 has items 2 and 5, user 3 item 4; zeros only fill up
    columns = KNOWN.columns(torch.tensor([1, 3]), torch.tensor([2, 4, 5, 0, 0]), torch.tensor([0, 0]))
    assert columns.tolist() == [[0, 1], [2, 1]]
