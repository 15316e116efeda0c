from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from recsys.data.read.impressions import outcomes
from recsys.data.read.oracle import CatalogueOracle, FirstPageOracle, impressions_of_test, oracle_of_test, oracles_of_candidates
from recsys.schema import Label
from recsys.source.base import Oracle, Source


class Products(Oracle):
    """The score is user id x item id, and the period is remembered."""

    def scores(self, user_ids, item_ids, start, stop):
        assert user_ids.dtype == item_ids.dtype == np.int64
        self.period = (start, stop)
        return np.outer(user_ids, item_ids).astype(np.float32)

    def if_shown(self, label, user_ids, item_ids, *, moments, context):
        """A click by day of January and letter of the item, one hundredth each; a purchase by device."""
        if label == "buy":
            self.context = context["device"].to_list()
            return np.stack([context["device"].replace_strict({"phone": 0.5}, default=1.0).to_numpy()] * len(item_ids), 1)
        days = moments // 86_400_000_000 - 19_722
        return np.array([[day / 100 * (ord(item) - 96) for item in item_ids] for day in days], np.float32)

    def probabilities(self, known):
        raise NotImplementedError


class Known(Source):
    def tables(self):
        raise NotImplementedError

    def oracle(self):
        return Products()


STORE = SimpleNamespace(
    user_ids=pl.Series([None, 10, 20, 30]), item_ids=pl.Series([None, 1, 2]), boundaries={"val": 5, "test": 7, "end": 9}
)


def test_scores_are_by_entity_index_with_a_padding_column():
    oracle = CatalogueOracle(Products(), STORE, start=1, stop=2)
    scores = oracle.scores(torch.tensor([3, 1]), torch.zeros(2, 0, dtype=torch.int64))
    assert torch.equal(scores, torch.tensor([[0.0, 30.0, 60.0], [0.0, 10.0, 20.0]]))  # users 30 and 10
    assert oracle.oracle.period == (1, 2)


def test_first_pages_are_asked_about_by_row(store):
    """The first test row of ann is on the 12th, of bob on the 13th and of dora on the 12th."""
    oracle = FirstPageOracle(Products(), store, ("click",))
    scores = oracle.scores(torch.tensor([4, 2]), torch.zeros(2, 0, dtype=torch.int64))
    # items a to e are worth 1 to 5 hundredths a day
    assert scores[0].tolist() == pytest.approx([0, 0.12, 0.24, 0.36, 0.48, 0.60])
    assert scores[1].tolist() == pytest.approx([0, 0.13, 0.26, 0.39, 0.52, 0.65])


def test_a_funnel_multiplies_and_the_world_hears_of_the_device(store):
    oracle = FirstPageOracle(Products(), store, ("click", "buy"))
    scores = oracle.scores(torch.tensor([1, 2]), torch.zeros(2, 0, dtype=torch.int64))
    assert oracle.oracle.context == ["tablet", "phone"]
    assert scores[0, 1:3].tolist() == pytest.approx([0.12, 0.24])
    assert scores[1, 1:3].tolist() == pytest.approx([0.065, 0.13])


def test_a_device_that_training_never_saw_is_unknown_to_the_world(store):
    unseen = {"device": torch.ones_like(store.context_features["device"])}  # the index of unknown values
    oracle = FirstPageOracle(Products(), replace(store, context_features=unseen), ("click", "buy"))
    oracle.scores(torch.tensor([1]), torch.zeros(2, 0, dtype=torch.int64))
    assert oracle.oracle.context == [None]


def test_candidates_are_ordered_by_two_truths_or_by_none(store):
    truths = oracles_of_candidates(Known(), store, ("click",))
    assert [(name, type(truth)) for name, truth in truths.items()] == [("oracle", FirstPageOracle), ("exposed_oracle", CatalogueOracle)]
    assert truths["oracle"].labels == ("click",)
    assert oracles_of_candidates(Known(), SimpleNamespace(boundaries=None), ("click",)) == {}


def test_oracle_of_test_asks_about_the_test_period():
    oracle = oracle_of_test(Known(), STORE)
    assert (oracle.start, oracle.stop) == (7, 9)


def test_no_oracle_without_truth_or_without_a_period():
    class Unknown(Source):
        def tables(self):
            raise NotImplementedError

    assert oracle_of_test(Unknown(), STORE) is None
    assert oracle_of_test(Known(), SimpleNamespace(boundaries=None)) is None


class Told(Source):
    """The shop of conftest, where the true probabilities of row n, by its user, item and day, are n / 100, n / 1000 and n / 50.

    Who knows the device knows that clicks are twice as likely.
    """

    ROWS = (
        *[(12, "bob", "c", 13), (11, "dora", "a", 12), (10, "ann", "d", 12), (0, "ann", "a", 1), (1, "ann", "b", 2)],
        *[(2, "ann", "b", 3), (3, "bob", "a", 2), (4, "bob", "c", 4), (5, "ann", "c", 5), (6, "bob", "b", 6), (7, "cid", "a", 7)],
        *[(8, "ann", "a", 9), (9, "bob", "d", 9)],
    )

    def tables(self):
        raise NotImplementedError

    def oracle(self):
        frame = pl.DataFrame(self.ROWS, schema=["number", "user", "item", "day"], orient="row")
        number = frame["number"].cast(pl.Float32)
        truth = {"click_probability": number / 100, "buy_probability": number / 1000, "buy_if_click": number / 50}
        frame = frame.with_columns(time=pl.Series([datetime(2024, 1, day) for day in frame["day"]]), **truth).drop("number", "day").lazy()

        def probabilities(known):
            return frame.with_columns(pl.col("click_probability") * (2 if "device" in known else 1))

        return SimpleNamespace(probabilities=probabilities)


def test_truth_of_impressions_is_in_the_order_of_their_outcomes(store):
    schema = replace(store.schema, labels=(Label("click"), Label("buy", given="click")))
    truth = impressions_of_test(Told(), replace(store, schema=schema))
    assert outcomes(store, "test", ()).user.tolist() == [1, 2, 4]  # rows 10, 12 and 11
    assert truth.probability["click"].tolist() == pytest.approx([0.20, 0.24, 0.22])  # the device is a column of the context
    assert truth.with_bias == {}
    assert truth.probability["buy"].tolist() == pytest.approx([0.010, 0.012, 0.011])
    assert [*truth.forced] == ["buy"]
    assert truth.forced["buy"].tolist() == pytest.approx([0.20, 0.24, 0.22])
    assert truth.probability["click"].dtype == torch.float64


def test_truth_of_bias_columns_stands_beside_that_of_who_does_not_know_them(store):
    features = tuple(replace(feature, entity="bias") if feature.column == "device" else feature for feature in store.schema.features)
    truth = impressions_of_test(Told(), replace(store, schema=replace(store.schema, features=features)))
    assert truth.probability["click"].tolist() == pytest.approx([0.10, 0.12, 0.11])
    assert truth.with_bias["click"].tolist() == pytest.approx([0.20, 0.24, 0.22])


def test_no_truth_of_impressions_without_an_oracle_or_a_key(store):
    class Unknown(Source):
        def tables(self):
            raise NotImplementedError

    assert impressions_of_test(Unknown(), store) is None
    for key in ("user", "item", "time"):
        nameless = replace(store.schema, features=(), **{key: None})
        assert impressions_of_test(Told(), replace(store, schema=nameless)) is None
