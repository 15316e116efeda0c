"""Which parts make a run, and which of them do not fit each other; the configs are those that the command line composes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks.base import composed
from recsys.assemble import assembled
from recsys.data.impressions import EvaluationImpressions, Impressions
from recsys.data.oracle import impressions_of_test
from recsys.errors import ConfigError
from recsys.rebuild import model_of, ranks
from recsys.report.labels import label_table
from recsys.schema import Categorical, Label, Schema, Statistics
from recsys.task.ranking import Ranking

SCHEMA = Schema(
    "user",
    "item",
    features=(Categorical("user", "user"), Categorical("item", "item")),
    labels=(Label("click"), Label("conversion", given="click")),
).fitted({"user": Statistics("int64", size=5), "item": Statistics("int64", size=5)})


@pytest.fixture(scope="module")
def ranking():
    return composed("task=ranking")


@pytest.fixture(scope="module")
def retrieval():
    return composed()


def refused(config, schema=SCHEMA):
    """(what, where, remedy) of the one fault."""
    with pytest.raises(ConfigError) as caught:
        assembled(config, SimpleNamespace(schema=schema))
    (fault,) = caught.value.faults
    return fault.what, fault.where, fault.remedy


def test_a_ranking_run_is_made_of_impressions_and_a_head_per_label(ranking, retrieval):
    parts = assembled(ranking, SimpleNamespace(schema=SCHEMA))
    assert isinstance(parts.task, Ranking)
    assert parts.task.model.heads == ("click", "conversion")
    assert [*parts.task.calibrations] == ["click", "conversion"]
    assert (parts.loader.rows, parts.loader.evaluated) == (Impressions, EvaluationImpressions)
    assert (parts.truth, parts.table) == (impressions_of_test, label_table)
    assert (ranks(ranking), ranks(retrieval)) == (True, False)


def test_a_model_has_the_heads_that_its_loss_asks_for(ranking):
    config = replace(ranking, loss=composed("task=ranking", "loss=dcmt").loss)
    assert model_of(config, SCHEMA).heads == ("click", "conversion", "conversion/counterfactual")


def test_a_loss_of_the_other_task_is_refused(ranking, retrieval):
    what, where, remedy = refused(composed("task=ranking", "loss=softmax"))
    assert (what, where) == ("SampledSoftmax is no RankingLoss, which this task needs", "loss")
    assert "loss=esmm" in remedy
    what, where, remedy = refused(composed("loss=esmm"))
    assert (what, where) == ("ESMM is no RetrievalLoss, which this task needs", "loss")
    assert "loss=softmax" in remedy


def test_a_model_of_the_other_task_is_refused(ranking, retrieval):
    what, where, remedy = refused(replace(retrieval, model=ranking.model))
    assert (what, where) == ("MMoE is no TwoTower, which this task needs", "model")
    assert "model=two_tower" in remedy
    what, where, remedy = refused(replace(ranking, model=retrieval.model))
    assert (what, where) == ("TwoTower is no Ranker, which this task needs", "model")
    assert "model=mmoe" in remedy


@pytest.mark.parametrize(
    ("task", "part", "remedy"),
    [
        ("ranking", "balance", "balance=fixed"),
        ("ranking", "calibration", "calibration=platt"),
        ("retrieval", "candidates", "candidates=mixed"),
    ],
)
def test_a_part_that_is_null_is_named(ranking, retrieval, task, part, remedy):
    config = {"ranking": ranking, "retrieval": retrieval}[task]
    what, where, told = refused(replace(config, **{part: None}))
    assert what.startswith(f"{part} is null, and this task needs a ")
    assert where == part
    assert remedy in told


def test_ranking_needs_a_label(ranking):
    what, where, remedy = refused(ranking, replace(SCHEMA, labels=()))
    assert (what, where) == ("there is no label to predict", "data.labels")
    assert "such as click" in remedy


def test_the_loss_is_told_what_share_of_the_negatives_is_read():
    config = composed("task=ranking", "loader.keep_negatives=0.4")
    labels = {"click": torch.tensor([0.0, 1.0, 0.0, 0.0]), "conversion": torch.zeros(4)}
    store = SimpleNamespace(schema=SCHEMA, labels=labels, split=torch.tensor([0, 0, 0, 0]))
    assert assembled(config, store).task.kept_share == pytest.approx(1 / 3)  # one of three, not 0.4
    assert assembled(composed("task=ranking"), SimpleNamespace(schema=SCHEMA)).task.kept_share == 1.0


def test_retrieval_has_no_negatives_to_leave_out(retrieval):
    loader = {**retrieval.loader, "keep_negatives": 0.5}
    schema = SimpleNamespace(schema=SCHEMA, event_row=torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ConfigError, match="retrieval learns from positive rows alone") as caught:
        assembled(replace(retrieval, loader=loader), schema)
    assert caught.value.faults[0].where == "loader.keep_negatives"


@pytest.mark.parametrize(
    ("absent", "keys"), [(("user",), "data.user"), (("item",), "data.item"), (("user", "item"), "data.user and data.item")]
)
def test_retrieval_needs_users_and_items(retrieval, absent, keys):
    schema = replace(SCHEMA, **dict.fromkeys(absent), features=tuple(one for one in SCHEMA.features if one.column not in absent))
    what, where, remedy = refused(retrieval, schema)
    assert f"{keys} is null" in what
    assert where == keys
    assert "task=ranking" in remedy
