"""Retrieved by how often the history lists an item, ranked by price: click = price / 10 + .5 on an app; buy = 1 - click."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.serve import BadRow, BundleError, Recommender, manifest

ITEMS = [{"item_id": "a", "price": 1}, {"item_id": "b", "price": 5}, {"item_id": "c", "price": 3}]


def test_candidates_are_ordered_by_the_label_with_its_value(bundle):
    (answer,) = Recommender(bundle, ITEMS).recommend([{}])
    assert answer.items == ["b", "c", "a"]
    assert answer.scores == pytest.approx([0.5, 0.3, 0.1])


def test_another_label_orders_otherwise(bundle):
    assert Recommender(bundle, ITEMS, label="buy").recommend([{}], k=2)[0].items == ["a", "c"]


def test_only_candidates_of_the_retriever_are_ranked(bundle):
    recommender = Recommender(bundle, ITEMS, num_candidates=2)
    rows = [{"history": ["a", "a", "c"]}]
    assert recommender.recommend(rows, k=1, exclude_seen=False)[0].items == ["c"]
    assert recommender.recommend(rows, k=3, exclude_seen=False)[0].items == ["b", "c", "a"]


def test_equal_probabilities_keep_the_retrievers_order(bundle):
    recommender = Recommender(bundle, [{**item, "price": 2} for item in ITEMS])
    assert recommender.recommend([{"history": ["c", "b", "c"]}], exclude_seen=False)[0].items == ["c", "b", "a"]


def test_whole_history_is_left_out_and_what_is_excluded(bundle):
    recommender = Recommender(bundle, ITEMS)
    rows = [{"history": ["b", "a", "a", "a"]}, {"history": ["b"]}, {"history": None}]
    answers = recommender.recommend(rows, exclude=[None, ["c"], ["c", "b"]])
    assert [answer.items for answer in answers] == [["c"], ["a"], ["a"]]
    answers = recommender.recommend(rows, exclude=[None, ["c"], ["c", "b"]], exclude_seen=False)
    assert [answer.items for answer in answers] == [["b", "c", "a"], ["b", "a"], ["a"]]


def test_nothing_left_is_an_empty_answer(bundle):
    assert Recommender(bundle, ITEMS).recommend([{}], exclude=[["a", "b", "c"]]) == [([], [])]


def test_context_of_the_request_is_read(bundle):
    answers = Recommender(bundle, ITEMS).recommend([{"device": "app"}, {"device": "web"}], k=1)
    assert [answer.scores for answer in answers] == [pytest.approx([1.0]), pytest.approx([0.5])]


def test_features_of_an_item_that_is_not_listed_are_missing(bundle):
    (answer,) = Recommender(bundle, ITEMS[:2]).recommend([{}])
    assert answer.items == ["b", "a", "c"]
    assert answer.scores[2] == 0


@pytest.mark.parametrize(
    "items",
    [
        {"title": ["x", "y", "z"], "item_id": ["a", "b", "c"], "price": np.array([1, 5, 3])},
        pa.table({"item_id": ["a", "b", "c"], "price": [1.0, 5, 3], "title": ["x", None, "z"]}),
        [{**item, "title": "x"} for item in ITEMS],
    ],
    ids=["columns", "arrow", "rows"],
)
def test_items_come_in_any_form_with_other_columns(bundle, items):
    assert Recommender(bundle, items).recommend([{}]) == Recommender(bundle, ITEMS).recommend([{}])


def test_many_users_are_answered_like_one_by_one(bundle):
    recommender = Recommender(bundle, ITEMS)
    rows = [{"history": ["abc"[row % 3]] * (row % 4), "device": ["app", "web"][row % 2]} for row in range(150)]
    assert recommender.recommend(rows, k=2) == [recommender.recommend([row], k=2)[0] for row in rows]


def test_bad_rows_are_none_and_listed(bundle):
    recommender, errors = Recommender(bundle, ITEMS), []
    answers = recommender.recommend([{}, {"device": 3, "history": ["a", "a", "a", 7]}, {"item_id": "a"}, {}], errors=errors)
    assert answers == [*recommender.recommend([{}]), None, None, *recommender.recommend([{}])]
    assert [(fault.row, fault.field) for fault in errors] == [(1, "history"), (1, "device"), (2, "item_id")]
    errors.clear()
    assert recommender.recommend([{"history": [7, "a", "a", "a"]}], errors=errors) == [None]  # read to be left out, if not by the model
    with pytest.raises(BadRow, match=r"row 0, 'device': got 3 \(int\); want a string"):
        recommender.recommend([{"device": 3}])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{"item_id": "a", "prize": 1}], "items: got no column 'price'.*did you mean 'prize'"),
        ([*ITEMS, ITEMS[1]], "items: got 'item_id' 'b' more than once"),
        ([*ITEMS, {"price": 1}], "items: got row 3 without 'item_id'"),
        ([*ITEMS, {"item_id": "d", "price": "dear"}], r"row 3, 'price': got 'dear' \(str\)"),
    ],
)
def test_bad_items_are_refused(bundle, items, message):
    with pytest.raises(ValueError, match=message):
        Recommender(bundle, items)


def test_label_that_is_not_predicted_is_refused(bundle):
    with pytest.raises(ValueError, match=r"'label': got 'bye'; want one of \['click', 'buy'\]; did you mean 'buy'"):
        Recommender(bundle, ITEMS, label="bye")


def test_every_file_is_checked_once(bundle, monkeypatch):
    checked, check = [], manifest._check_file
    monkeypatch.setattr(manifest, "_check_file", lambda folder, name, facts: checked.append(name) or check(folder, name, facts))
    Recommender(bundle, ITEMS)
    assert sorted(checked) == ["ranker.onnx", "retriever.onnx", "schema.json", "user_tower.onnx"]


def test_bundle_without_a_ranker_is_refused(written, tmp_path):
    with pytest.raises(BundleError, match=r"holds no ranker\.onnx"):
        Recommender(written(tmp_path / "bundle", ("retriever.onnx",)), ITEMS)
