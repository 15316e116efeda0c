"""Impressions of the shop of conftest: rows 0-7 train, 8-9 validate, 10-12 test; store order 0 1 2 5 8 10 | 3 4 6 9 12 | 7 | 11."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from recsys.data.read.impressions import EvaluationImpressions, Impressions, feature_table, outcomes
from recsys.data.split import Ratio
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical, History, Label, Numeric, Schema


def everything(rows):
    return rows.batch(torch.arange(len(rows)))


def test_training_impressions_are_all_rows_with_their_labels(store):
    batch = everything(Impressions(store))
    # ann's rows 0 1 2 5, bob's 3 4 6, cid's 7
    assert batch.user.tolist() == [1, 1, 1, 1, 2, 2, 2, 3]
    assert batch.item.tolist() == [1, 2, 2, 3, 1, 3, 2, 1]
    assert batch.labels["click"].tolist() == [1, 0, 1, 1, 1, 1, 1, 0]


def test_an_impression_knows_what_was_chosen_strictly_before(store):
    history = everything(Impressions(store)).features["history"].tolist()
    # ann clicked a (row 0), b (row 2), c (row 5); the row between sees a alone. Indices: a 2, b 3, c 4
    assert history[:4] == [[0, 0], [2, 0], [2, 0], [2, 3]]
    assert history[7] == [0, 0]


def test_an_impression_has_the_columns_of_user_item_and_row(store):
    features = everything(Impressions(store)).features
    assert list(features) == ["user", "gender", "age", "signup", "history", "item", "tags", "price", "device"]
    assert features["price"].tolist() == [1.0, 2.0, 2.0, 4.0, 1.0, 4.0, 2.0, 1.0]
    assert features["device"].tolist() == [2, 3, 2, 2, 3, 2, 4, 2]  # phone 2, web 3, tablet 4


def test_questions_are_numbered_like_their_outcomes(store):
    asked = EvaluationImpressions(store, "test")
    batch = asked.batch(torch.tensor([2, 0]))
    assert batch.number.tolist() == [2, 0]
    came = outcomes(store, "test", ())
    assert came.user.tolist() == [1, 2, 4]
    assert came.labels["click"].tolist() == [1, 0, 1]
    assert batch.features["user"].tolist() == store.user_features["user"][came.user[[2, 0]]].tolist()


def test_outcomes_are_divided_by_user_item_and_row(store):
    slices = {part.name: [part.values[code] if code >= 0 else None for code in part.codes] for part in outcomes(store, "test", ()).slices}
    assert slices["device"] == ["tablet", "phone", "web"]
    assert slices["activity"] == ["1-5", "1-5", "new"]
    assert slices["gender"] == ["f", "m", "f"]
    assert slices["popularity"] == ["new", "tail", "head"]  # d never trained; c is clicked twice like a and b, and comes after them


def test_rows_are_together_by_session_or_else_by_user(source, shop_schema, cut, tmp_path):
    path = source.root / "interactions.parquet"
    pl.read_parquet(path).with_columns(pl.Series("visit", [7, 7, 8, 9, 9, 9, 1, 2, 3, 3, 4, 4, 4])).write_parquet(path)
    arguments = {"folder": tmp_path / "stores", "bad_rows": "fail", "max_unknown_share": 0.5, "max_feature_auc": 1.0}
    by_visit = prepare(source, replace(shop_schema, session="visit"), cut, **arguments)
    assert len(outcomes(by_visit, "test", ()).session.unique()) == 1
    by_user = prepare(source, shop_schema, cut, **arguments)
    assert outcomes(by_user, "test", ()).session.tolist() == [1, 2, 4]


def test_rows_may_name_no_user_and_no_item(source, tmp_path):
    for table in ("users", "items"):
        (source.root / f"{table}.parquet").unlink()
    schema = Schema(None, None, features=(Categorical("device", "context"), Numeric("day", "context")), labels=(Label("click"),))
    store = prepare(
        source, schema, Ratio(0.2, 0.2), folder=tmp_path / "stores", bad_rows="fail", max_unknown_share=0.0, max_feature_auc=1.0
    )
    batch = everything(Impressions(store))
    assert len(batch.labels["click"]) == 13 - 3 - 3
    assert sorted(batch.features) == ["day", "device"]
    came = outcomes(store, "test", ())
    assert (came.user, came.session) == (None, None)
    assert [part.name for part in came.slices] == ["device"]


def test_numbers_have_mean_and_deviation_where_the_label_concerns_the_row(source, shop_schema, cut, tmp_path):
    path = source.root / "interactions.parquet"
    spent = [4.0, 0, 6.0, 8.0, 2.0, 10.0, 0.0, 0, 100.0, 0, 0, 0, 0]
    pl.read_parquet(path).with_columns(pl.Series("spent", spent)).write_parquet(path)
    schema = replace(shop_schema, labels=(Label("click"), Label("spent", given="click", kind="regression")))
    fitted = prepare(source, schema, cut, folder=tmp_path / "stores", bad_rows="fail", max_unknown_share=0.5, max_feature_auc=1.0).schema
    # training rows with a click: 4 6 8 2 10 0
    assert fitted.statistics["spent"].mean == pytest.approx(5.0)
    assert fitted.statistics["spent"].std == pytest.approx((70 / 6) ** 0.5)


def test_table_holds_numbers_indicators_histories_and_categories(store):
    table = feature_table(store, 0)
    # age, hour and weekday of signup, history (length, holds the item), tags (red, new; blue is no training value), price
    names = ["age", "hour", "weekday", "length", "known", "red", "new", "price"]
    rows = {name: table.numbers[:, column].tolist() for column, name in enumerate(names)}
    assert rows["age"] == [20, 20, 20, 20, 30, 30, 30, 40]
    assert rows["length"] == [0, 1, 1, 2, 0, 1, 2, 0]
    assert rows["known"] == [0, 0, 0, 0, 0, 0, 0, 0]
    assert rows["red"] == [1, 0, 0, 1, 1, 1, 0, 1]
    assert rows["price"] == [1, 2, 2, 4, 1, 4, 2, 1]
    assert table.categories.shape == (8, 4)  # user, gender, item, device
    assert table.num_categories == tuple(store.schema.statistics[column].size for column in ("user", "gender", "item", "device"))
    assert np.isfinite(table.numbers).all()


def test_table_says_whether_the_history_holds_the_item(store):
    table = feature_table(store, 1)  # ann sees a again, which she had; bob sees d
    assert table.numbers[:, 4].tolist() == [0, 0]  # of the last two clicks only: ann's are b and c
    longer = replace(
        store,
        schema=replace(
            store.schema,
            features=tuple(
                History("history", "user", of="item", max_len=3) if feature.column == "history" else feature
                for feature in store.schema.features
            ),
        ),
    )
    assert feature_table(longer, 1).numbers[:, 4].tolist() == [1, 0]


def test_table_as_served_has_no_bias_column(store):
    table = feature_table(store, 0)
    assert table.served().num_categories == table.num_categories
    features = tuple(replace(feature, entity="bias") if feature.column == "device" else feature for feature in store.schema.features)
    biased = feature_table(replace(store, schema=replace(store.schema, features=features)), 0)
    served = biased.served()
    assert biased.num_categories == table.num_categories
    assert served.num_categories == table.num_categories[:3]  # user, gender, item
    assert np.array_equal(served.categories, table.categories[:, :3])
    assert np.array_equal(served.numbers, table.numbers, equal_nan=True)
    assert len(biased.rows(np.arange(8) < 3).served().categories) == 3
