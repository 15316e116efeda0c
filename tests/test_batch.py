import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from recsys.batch import Batch, Catalogue, KnownItems, in_one_copy

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
    columns = KNOWN.columns(torch.tensor([1, 3]), torch.tensor([2, 4, 5, *[0] * 20]), torch.tensor([0, 0]))
    assert columns.tolist() == [[0, 1], [2, 1]]


COLUMNS = [
    torch.tensor([[1.5, float("nan")], [-2.0, 0.25]]),
    torch.tensor([True, False, True]),
    torch.tensor([2**40, 7]),
    torch.arange(6).view(2, 3).T,  # not contiguous
    torch.empty(2, 0, dtype=torch.int64),
    torch.tensor(3.0, dtype=torch.float64),
]


def test_columns_of_one_copy_are_what_they_were():
    copies = in_one_copy(COLUMNS, torch.device("cpu"))
    for copied, values in zip(copies, COLUMNS, strict=True):
        torch.testing.assert_close(copied, values, rtol=0, atol=0, equal_nan=True)
    assert len({copied.untyped_storage().data_ptr() for copied in copies}) == 1


class Copies(TorchDispatchMode):
    """Counts copies to another device."""

    number = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.number += function is torch.ops.aten._to_copy.default
        return function(*args, **(kwargs or {}))


def test_a_batch_goes_to_a_device_in_one_copy():
    batch = Batch({"a": COLUMNS[0], "b": COLUMNS[3]}, {"click": torch.ones(2)}, torch.ones(2), torch.arange(2), torch.arange(2))
    with Copies() as copies:
        moved = batch.to(torch.device("meta"))
    assert copies.number == 1
    assert {values.device.type for values in (*moved.features.values(), moved.labels["click"], moved.weight, moved.item)} == {"meta"}
    assert moved.features["b"].shape == (3, 2)
    assert moved.user.dtype == torch.int64
    assert moved.seen is None


@pytest.mark.gpu
def test_a_batch_on_cuda_has_its_values():
    copies = in_one_copy(COLUMNS, torch.device("cuda"))
    for copied, values in zip(copies, COLUMNS, strict=True):
        torch.testing.assert_close(copied.cpu(), values, rtol=0, atol=0, equal_nan=True)
