"""Rows as people send them, predicted by a ranker written by hand: click = price / 10 + .5 on an app; buy = 1 - click."""

import math

import numpy as np
import pyarrow as pa
import pytest

from recsys.serve import BadRow, Ranker

ROWS = [{"item_id": "a", "price": 1.0, "device": "app"}, {"item_id": "b", "price": 3}, {}]


def test_every_label_of_every_row(bundle):
    got = Ranker(bundle).predict(ROWS)
    assert got["click"] == pytest.approx([0.6, 0.3, 0.0])
    assert got["buy"] == pytest.approx([0.4, 0.7, 1.0])


@pytest.mark.parametrize(
    "columns",
    [
        {"item_id": ["a", "b", None], "price": [1.0, 3, None], "device": ["app", None, None]},
        {"item_id": np.array(["a", "b", ""]), "price": np.array([1, 3, np.nan]), "device": np.array(["app", "", ""], object)},
        {"price": np.array([1, 3, 0], np.float16), "device": ("app", float("nan"), None)},
        pa.table({"item_id": ["a", "b", None], "price": [1.0, 3.0, None], "device": ["app", None, None]}),
    ],
    ids=["lists", "arrays", "halves", "arrow"],
)
def test_columns_are_predicted_like_rows(bundle, columns):
    assert Ranker(bundle).predict(columns) == Ranker(bundle).predict(ROWS)


def test_rows_beyond_one_pass_keep_their_order(bundle):
    prices = np.arange(10_000, dtype=np.float32) / 1_000
    assert Ranker(bundle).predict({"price": prices})["click"] == pytest.approx((prices / 10).tolist())


def test_bad_rows_are_nan_and_listed(bundle):
    errors = []
    got = Ranker(bundle).predict([{"price": 1}, {"price": "dear", "device": 3}, {"price": 2}], errors=errors)
    assert got["click"] == pytest.approx([0.1, math.nan, 0.2], nan_ok=True)
    assert got["buy"] == pytest.approx([0.9, math.nan, 0.8], nan_ok=True)
    assert [(fault.row, fault.field) for fault in errors] == [(1, "price"), (1, "device")]


@pytest.mark.parametrize("price", [np.inf, -np.inf, 1e39])
def test_array_with_a_number_out_of_range_is_refused_by_its_row(bundle, price):
    with pytest.raises(BadRow, match=r"row 1, 'price': got .*; want a finite number"):
        Ranker(bundle).predict({"price": np.array([1, price])})


def test_bad_user_is_no_row(bundle):
    with pytest.raises(BadRow, match=r"user, 'history': got 3 \(int\); want a list"):
        Ranker(bundle).predict([{"price": 1}], user={"history": 3})
    errors = []
    got = Ranker(bundle).predict([{"price": 1}, {"price": "dear"}], user={"history": 3}, errors=errors)
    assert np.isnan(got["click"]).all()
    assert [(fault.row, fault.field) for fault in errors] == [(-1, "history"), (1, "price")]
