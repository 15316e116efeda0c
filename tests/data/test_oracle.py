from types import SimpleNamespace

import numpy as np
import polars as pl
import torch

from recsys.data.oracle import CatalogueOracle, oracle_of_test
from recsys.source.base import Oracle, Source


class Products(Oracle):
    """The score is user id x item id, and the period is remembered."""

    def scores(self, user_ids, item_ids, start, stop):
        assert user_ids.dtype == item_ids.dtype == np.int64
        self.period = (start, stop)
        return np.outer(user_ids, item_ids).astype(np.float32)


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


def test_oracle_of_test_asks_about_the_test_period():
    oracle = oracle_of_test(Known(), STORE)
    assert (oracle.start, oracle.stop) == (7, 9)


def test_no_oracle_without_truth_or_without_a_period():
    class Unknown(Source):
        def tables(self):
            raise NotImplementedError

    assert oracle_of_test(Unknown(), STORE) is None
    assert oracle_of_test(Known(), SimpleNamespace(boundaries=None)) is None
