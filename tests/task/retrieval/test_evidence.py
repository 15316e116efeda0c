import polars as pl
import torch

from recsys.task.retrieval.evidence import item_sample, item_vectors, per_user

F64 = torch.float64


def test_every_test_user_has_a_row_under_the_raw_id(store):
    values = {
        "val/user": torch.tensor([1]),
        "val/recall@20": torch.tensor([0.5], dtype=F64),
        "test/user": torch.tensor([1, 3]),
        "test/recall@20": torch.tensor([0.5, 1.0], dtype=F64),
        "test/novelty@20": torch.tensor([7.5, 8.0], dtype=F64),
        "baseline/ease/test/ndcg@20": torch.tensor([0.0, 0.25], dtype=F64),
        "baseline/ease/test/novelty@20": torch.tensor([1.0, 2.0], dtype=F64),
    }
    frame = per_user(store, values)
    assert frame.to_dict(as_series=False) == {
        "user": ["ann", "cid"],
        "test/recall@20": [0.5, 1.0],
        "test/novelty@20": [7.5, 8.0],
        "baseline/ease/test/ndcg@20": [0.0, 0.25],
    }
    assert set(frame.dtypes[1:]) == {pl.Float64}


def test_a_small_catalogue_is_kept_whole_with_vectors_titles_and_kinds(store, source):
    items = item_sample(store)
    assert items.tolist() == [1, 2, 3, 4, 5]
    frame = item_vectors(store, source, items, torch.arange(10.0).view(5, 2))
    assert frame.drop("vector").row(1, named=True) == {"item": "b", "title": "Bread", "training_events": 1, "kind": "bakery"}
    assert frame["vector"].to_list()[1] == [2.0, 3.0]


def test_a_large_catalogue_is_drawn_from_without_its_padding(store):
    class Large:
        num_items = 10_000

    items = item_sample(Large)
    assert (len(items), len(items.unique()), int(items.min()) >= 1, int(items.max()) <= 10_000) == (2_000, 2_000, True, True)
    assert items.tolist() == item_sample(Large).tolist()
