"""Which parts make a run, and which of them do not fit each other; the configs are those that the command line composes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from recsys.assemble import assembled

from benchmarks.base import composed
from recsys.config import TeacherConfig, save_config
from recsys.data.read.impressions import EvaluationImpressions, Impressions
from recsys.disk.folders import point
from recsys.errors import ConfigError
from recsys.model.two_tower import TwoTower
from recsys.run.checkpoint import checkpoint_facts, write_checkpoint
from recsys.run.directory import write_tested
from recsys.run.finished import model_of, ranks
from recsys.schema import Categorical, Label, Schema, Statistics, Timestamp
from recsys.source.base import Source
from recsys.task.ranking.module import Ranking

SCHEMA = Schema(
    "user",
    "item",
    features=(Categorical("user", "user"), Categorical("item", "item")),
    labels=(Label("click"), Label("conversion", given="click")),
    positive="click",
).fitted({"user": Statistics("int64", size=5), "item": Statistics("int64", size=5)})
STORE = SimpleNamespace(schema=SCHEMA)


@pytest.fixture(scope="module")
def ranking():
    return composed("task=ranking")


@pytest.fixture(scope="module")
def retrieval():
    return composed()


@pytest.fixture
def teacher(tmp_path, described):
    """Makes the directory of a finished run from its config and schema."""

    def finished(config, schema=SCHEMA):
        save_config(described(config, schema), tmp_path / "config.yaml")
        schema.save(tmp_path / "schema.json")
        (tmp_path / "lineage.json").write_text(json.dumps({"store": "gone"}))
        (tmp_path / "metrics.json").write_text("{}")
        if ranks(config):
            state = {label.column: {"slope": 1.0, "intercept": 0.5} for label in schema.labels}
            (tmp_path / "calibration.json").write_text(json.dumps(state))
            written = write_checkpoint(model_of(config, schema).state_dict(), tmp_path / "checkpoints", about={"step": 1})
            write_tested(tmp_path, checkpoint_facts(written)["sha256"])
            written.rename(tmp_path / "checkpoints" / "best")
        else:
            write_tested(tmp_path, "0" * 64)
        return TeacherConfig(tmp_path, 0.25)

    return finished


def refused(config, schema=SCHEMA):
    """(what, where, remedy) of the one fault."""
    with pytest.raises(ConfigError) as caught:
        assembled(config, SimpleNamespace(schema=schema))
    (fault,) = caught.value.faults
    return fault.what, fault.where, fault.remedy


def test_a_ranking_run_is_made_of_impressions_and_a_head_per_label(ranking, retrieval):
    parts = assembled(ranking, STORE)
    assert isinstance(parts.task, Ranking)
    assert parts.task.model.heads == ("click", "conversion")
    assert [*parts.task.calibrations] == ["click", "conversion"]
    assert (parts.loader.rows, parts.loader.evaluated) == (Impressions, EvaluationImpressions)
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
    what, where, remedy = refused(ranking, replace(SCHEMA, labels=(), positive=None))
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


def test_a_teacher_is_the_best_of_its_run(ranking, teacher):
    student = composed("task=ranking", "model=shared_bottom")
    parts = assembled(replace(student, teacher=teacher(ranking)), SimpleNamespace(schema=SCHEMA))
    assert type(parts.task.teacher.model).__name__ == "MMoE"
    assert type(parts.task.model).__name__ == "SharedBottom"
    assert parts.task.teacher.weight == 0.25
    assert parts.task.teacher.calibrations["click"].intercept == 0.5
    assert assembled(student, SimpleNamespace(schema=SCHEMA)).task.teacher is None


def test_a_teacher_changes_nothing_of_how_its_student_starts(ranking, teacher):
    starts = []
    for advised in (TeacherConfig(), teacher(ranking)):
        torch.manual_seed(0)
        starts.append(assembled(replace(ranking, teacher=advised), SimpleNamespace(schema=SCHEMA)).task.model.state_dict())
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])


def test_a_teacher_of_other_data_is_refused_with_every_column(ranking, teacher):
    other = replace(SCHEMA, statistics={**SCHEMA.statistics, "item": Statistics("int64", size=6)})
    split = replace(ranking.data, split={**ranking.data.split, "test_days": 14})
    with pytest.raises(ConfigError) as caught:
        assembled(replace(ranking, teacher=teacher(replace(ranking, data=split), other)), SimpleNamespace(schema=SCHEMA))
    assert [fault.where for fault in caught.value.faults] == ["data.features, column 'item'", "data.split"]
    assert "another vocabulary" in caught.value.faults[0].what
    assert "rows that this one is tested on" in caught.value.faults[1].what
    assert {fault.remedy for fault in caught.value.faults} == {"train both on the same data config"}


def test_a_retrieval_run_teaches_no_ranker(ranking, retrieval, teacher, tmp_path):
    what, where, remedy = refused(replace(ranking, teacher=teacher(retrieval)))
    assert (what, where) == ("the teacher is a retrieval run", str(tmp_path))
    assert "ranking run" in remedy


def test_retrieval_learns_from_no_teacher(retrieval):
    store = SimpleNamespace(schema=SCHEMA, event_row=torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ConfigError, match=r"retrieval learns from no teacher[\s\S]*teacher\.run"):
        assembled(replace(retrieval, teacher=TeacherConfig("somewhere")), store)


class Unknown(Source):
    """Knows no truth."""

    def tables(self):
        raise NotImplementedError


@pytest.fixture
def retriever(retrieval, tmp_path, described):
    """Directory of a finished retrieval run."""
    save_config(described(retrieval, SCHEMA), tmp_path / "config.yaml")
    SCHEMA.save(tmp_path / "schema.json")
    for name in ("lineage.json", "metrics.json"):
        (tmp_path / name).write_text("{}")
    checkpoint = write_checkpoint(model_of(retrieval, SCHEMA).state_dict(), tmp_path / "checkpoints", about={"step": 1})
    write_tested(tmp_path, checkpoint_facts(checkpoint)["sha256"])
    point(tmp_path / "checkpoints" / "best", checkpoint)
    return tmp_path


def informed(parts):
    """What an evaluation was told."""
    evaluation = SimpleNamespace()
    parts.inform(evaluation, Unknown())
    return evaluation


def test_a_ranking_run_is_measured_behind_the_retriever_that_it_names(ranking, retriever):
    assert informed(assembled(ranking, STORE)).pair is None
    evaluation = informed(assembled(replace(ranking, retriever=retriever), STORE))
    assert (evaluation.oracle, evaluation.pair.truths) == (None, {})
    assert isinstance(evaluation.pair.retriever, TwoTower)
    assert not evaluation.pair.retriever.training
    assert (evaluation.pair.num_candidates, evaluation.pair.ks, evaluation.pair.labels) == (200, [20], ("click",))
    assert evaluation.pair.exclude_known


def test_candidates_are_found_as_the_retriever_was_measured(ranking, retrieval, retriever, described):
    (retriever / "config.yaml").unlink()
    evaluation = {**retrieval.callbacks["evaluation"], "exclude_known": False}
    other = replace(retrieval, callbacks={**retrieval.callbacks, "evaluation": evaluation})
    save_config(described(other, SCHEMA), retriever / "config.yaml")
    assert not informed(assembled(replace(ranking, retriever=retriever), STORE)).pair.exclude_known


def test_a_retriever_of_other_data_is_refused(ranking, retrieval, retriever):
    ranking = replace(ranking, retriever=retriever)
    other = replace(SCHEMA, session="visit", statistics={**SCHEMA.statistics, "item": Statistics("int64", size=9)})
    what, where, remedy = refused(ranking, other)
    assert what == "the retriever was trained on other data, which differ in data.session, training values of 'item'"
    assert where == f"retriever={retriever}"
    assert "same data options" in remedy
    what, _, _ = refused(replace(ranking, data=replace(ranking.data, split={**ranking.data.split, "test_days": 3})))
    assert what.endswith("which differ in data.split")


def test_many_differences_are_counted(ranking, retriever):
    features = tuple(Timestamp(f"time{number}", "context") for number in range(8))
    what, _, _ = refused(replace(ranking, retriever=retriever), replace(SCHEMA, features=SCHEMA.features + features))
    assert what.endswith("feature 'time3', feature 'time4' and 3 more")


def test_a_ranker_cannot_retrieve(ranking, retriever, described):
    (retriever / "config.yaml").unlink()
    save_config(described(ranking, SCHEMA), retriever / "config.yaml")
    what, where, remedy = refused(replace(ranking, retriever=retriever))
    assert (what, where) == ("the run trained a ranker", f"retriever={retriever}")
    assert "name a retrieval run" in remedy


def test_what_candidates_are_worth_needs_a_label(ranking, retrieval, retriever, described):
    schema = replace(SCHEMA, positive=None)
    (retriever / "config.yaml").unlink()
    save_config(described(retrieval, schema), retriever / "config.yaml")
    schema.save(retriever / "schema.json")
    what, where, remedy = refused(replace(ranking, retriever=retriever), schema)
    assert what == "no 0/1 label says what a candidate is worth: data.positive is null"
    assert where == "data.positive"
    assert "such as click" in remedy


def test_a_pair_needs_its_settings(ranking, retriever):
    what, where, _ = refused(replace(ranking, retriever=retriever, pair=None))
    assert (what, where) == ("pair is null, and this task needs a Pair", "pair")


def test_a_retrieval_run_takes_no_retriever(retrieval, retriever):
    what, where, remedy = refused(replace(retrieval, retriever=retriever))
    assert (what, where) == ("this run trains a retriever itself", "retriever")
    assert "task=ranking" in remedy


@pytest.mark.parametrize(
    ("absent", "keys"), [(("user",), "data.user"), (("item",), "data.item"), (("user", "item"), "data.user and data.item")]
)
def test_retrieval_needs_users_and_items(retrieval, absent, keys):
    schema = replace(SCHEMA, **dict.fromkeys(absent), features=tuple(one for one in SCHEMA.features if one.column not in absent))
    what, where, remedy = refused(retrieval, schema)
    assert f"{keys} is null" in what
    assert where == keys
    assert "task=ranking" in remedy
