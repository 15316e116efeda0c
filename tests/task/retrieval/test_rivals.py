"""The judge of baselines' settings, and what fitting them says, on the shop of conftest."""

import math

import polars as pl
import pytest
import torch

from recsys.baseline.base import Baseline
from recsys.data.read.datamodule import DataModule
from recsys.data.split import Temporal
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical, Label, Schema
from recsys.task.retrieval import rivals
from recsys.task.retrieval.rivals import ValidationJudge, fitted


class Shares(Baseline):
    """Has nothing to learn: the same scores for everyone."""

    def __init__(self, *, skips: bool = False):
        self.skips = skips

    def fit(self, events, judge):
        self.events, self.quality = events, judge(self)
        self.note = "share=1 (of 1, 2)"

    def skipped(self, events):
        return "it has no wish to" if self.skips else None

    def scores(self, user, known):
        return SCORES.expand(len(user), -1)


SCORES = torch.tensor([0.0, 5.0, 4.0, 3.0, 2.0, 1.0])
"""Of the padding and of items a to e."""


@pytest.fixture
def data(store):
    return DataModule(store, batch_size=4, eval_batch_size=2, num_workers=0, seed=0)


@pytest.mark.parametrize(("k", "exclude_known", "quality"), [(1, True, 1.0), (1, False, 0.0), (2, False, 1 / math.log2(3))])
def test_settings_are_judged_by_the_ndcg_of_validation(data, k, exclude_known, quality):
    """In validation ann alone chose something: b, the second of all items, and the first of those she did not have, a and c."""
    assert ValidationJudge(data, k, exclude_known, item_chunk=2)(Shares()) == pytest.approx(quality)


def test_judges_are_spread_over_all_validation_users(data, monkeypatch):
    monkeypatch.setattr(rivals, "MOST_USERS", 1)
    assert ValidationJudge(data, 1, True, 5).users.user.tolist() == [1]


def test_notes_name_what_was_chosen_and_who_has_nothing_to_say(data):
    asked, idle = Shares(), Shares(skips=True)
    done = fitted({"mine": asked, "idle": idle}, data, ValidationJudge(data, 1, True, 5))
    assert done.notes == ["baseline mine: validation chose share=1 (of 1, 2)", "baseline idle skipped: it has no wish to"]
    assert list(done.scorers) == ["mine"]
    assert asked.quality == 1.0
    assert asked.events.item.tolist() == [1, 3, 1, 2, 4, 5]  # of training alone: ann's a and c, bob's a and b, cid's d and e


def test_events_hold_the_ratings_that_rows_have(source, tmp_path):
    path = source.root / "rows.parquet"
    rows = pl.read_parquet(path)
    rows.with_columns(stars=pl.Series([1.0, 2.0, 3.0, 4.0, 5.0, None] + [1.0] * 6)).write_parquet(path)
    labels = (Label("click"), Label("stars", kind="regression"))
    schema = Schema("user", "item", time="time", features=(Categorical("item", "item"),), labels=labels, positive="click")
    split = Temporal(val_start="2024-01-08", test_start="2024-01-11")
    settings = {"bad_rows": "fail", "max_unknown_share": 1.0, "max_feature_auc": 1.0}
    rated = prepare(source, schema, split, folder=tmp_path / "rated", **settings)
    events = DataModule(rated, batch_size=4, eval_batch_size=2, num_workers=0, seed=0).training_events
    assert events.rating[:5].tolist() == [1, 2, 3, 4, 5]
    assert events.rating[5].isnan()


def test_events_without_a_rating_have_none(data):
    assert data.training_events.rating is None
