import json

import polars as pl
import torch

from recsys.task.retrieval.evidence import item_sample, item_vectors, per_user, user_examples

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


USERS = torch.tensor([1, 2])
RECOMMENDED = torch.tensor([[4, 2, 5], [4, 3, 0]])
MEASURED = {"recall@2": torch.tensor([1.0, 0.5], dtype=torch.float64)}


def examples(store, source, exclude_known=True):
    return user_examples(store, source, users=USERS, recommended=RECOMMENDED, measured=MEASURED, exclude_known=exclude_known)


def ids(entries):
    return [entry["id"] for entry in entries]


def test_a_user_is_shown_with_history_truth_and_recommendations(store, source):
    ann, bob = examples(store, source)["users"]
    assert (ann["user"], ids(ann["history"]), ids(ann["truth"])) == ("ann", ["b", "c", "a"], ["d"])  # the latest first; validation too
    assert [(entry["id"], entry["hit"]) for entry in ann["recommended"]] == [("d", True), ("b", False), ("e", False)]
    assert (bob["user"], ids(bob["truth"]), ids(bob["recommended"])) == ("bob", ["c"], ["d", "c"])  # a was known to bob
    assert ann["measured"] == {"recall@2": 1.0}
    assert (ann["num_history"], ann["num_truth"]) == (3, 1)


def test_what_was_known_counts_where_the_evaluation_keeps_it(store, source):
    assert ids(examples(store, source, exclude_known=False)["users"][1]["truth"]) == ["a", "c"]


def test_items_have_their_titles(store, source):
    assert examples(store, source)["users"][0]["truth"] == [{"id": "d", "title": "Dates", "about": "fruit"}]


def test_the_same_users_are_shown_of_every_model(store, source):
    users = torch.arange(1, 4).repeat(100)
    chosen = [
        json.dumps([example["user"] for example in user_examples(store, source, users=users, recommended=lists, **rest)["users"]])
        for lists, rest in (
            (torch.zeros(300, 3, dtype=torch.int64), {"measured": {"x": torch.zeros(300)}, "exclude_known": True}),
            (torch.ones(300, 3, dtype=torch.int64), {"measured": {"x": torch.ones(300)}, "exclude_known": True}),
        )
    ]
    assert chosen[0] == chosen[1]
    assert len(json.loads(chosen[0])) == 8


def test_the_file_says_how_they_were_chosen(store, source):
    assert examples(store, source)["chosen"].startswith("2 of 2 test users, drawn by chance with seed 0")
