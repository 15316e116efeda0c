"""Users at their first page of a split, in the shop of conftest."""

from dataclasses import replace

import pytest
import torch

from recsys.data.read.first_pages import FirstPages, first_rows
from recsys.data.read.rows import EvaluationUsers
from recsys.data.split import Temporal
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical


@pytest.fixture
def long_validation(source, shop_schema, tmp_path):
    """The shop, validated from the 5th on: ann's rows are on the 5th and 9th, bob's on the 6th and 9th, cid's on the 7th."""
    cut = Temporal(val_start="2024-01-05", test_start="2024-01-12")
    return prepare(source, shop_schema, cut, folder=tmp_path / "long", bad_rows="fail", max_unknown_share=1.0, max_feature_auc=1.0)


def test_context_is_that_of_the_first_row(long_validation):
    pages = FirstPages(long_validation, "val")
    batch = pages.batch(torch.arange(len(pages)))
    assert batch.user.tolist() == [1, 2]  # cid was shown something and chose nothing
    devices = long_validation.vocabulary("device")[batch.features["device"].numpy()]
    assert devices.to_list() == ["phone", None]  # bob's tablet stands in no training row; his web row comes later


def test_users_are_those_of_the_retrieval_evaluation(store):
    number = torch.tensor([1, 0])
    page, user = FirstPages(store, "test").batch(number), EvaluationUsers(store, "test").batch(number)
    assert page.features.keys() - user.features.keys() == {"device"}
    for column, values in user.features.items():
        assert page.features[column].tolist() == values.tolist()
    for name in ("user", "known", "relevant"):
        assert vars(page)[name].tolist() == vars(user)[name].tolist()


def test_bias_columns_are_not_known_before_the_page_is_shown(store):
    features = (*store.schema.features[:-1], Categorical("device", "bias"))
    pages = FirstPages(replace(store, schema=replace(store.schema, features=features)), "test")
    assert "device" not in pages.batch(torch.tensor([0])).features


def test_first_rows_are_by_user(store):
    # rows stand by user: ann 0-5, bob 6-10, cid 11, dora 12; the last of ann's and of bob's are in the test
    assert first_rows(store, "test").tolist() == [-1, 5, 10, -1, 12, -1]
    assert first_rows(store, "val").tolist() == [-1, 4, 9, -1, -1, -1]
