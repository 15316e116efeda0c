"""Which parts make a ranking run, and which of them do not fit each other; the configs are those that the command line composes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks.base import composed
from recsys.config import build, save_config
from recsys.data.read.impressions import EvaluationImpressions, Impressions
from recsys.disk.folders import point
from recsys.errors import ConfigError
from recsys.model.two_tower import TwoTower
from recsys.run.checkpoint import checkpoint_facts, write_checkpoint
from recsys.run.directory import write_tested
from recsys.schema import Categorical, Label, Schema, Statistics, Timestamp
from recsys.source.base import Source
from recsys.task.ranking.module import RankingModule

SCHEMA = Schema(
    "user",
    "item",
    features=(Categorical("user", "user"), Categorical("item", "item")),
    labels=(Label("click"), Label("conversion", given="click")),
    positive="click",
).fitted({"user": Statistics("int64", size=5), "item": Statistics("int64", size=5)})
STORE = SimpleNamespace(schema=SCHEMA)


class Unknown(Source):
    """Knows no truth."""

    def tables(self):
        raise NotImplementedError


def parts(config, store=STORE):
    return build(config.task).parts(config, store, Unknown())


def with_keys(config, **keys):
    """The config with these keys of its task."""
    return replace(config, task={**config.task, **keys})


def refused(config, schema=SCHEMA):
    """(what, where, remedy) of the one fault."""
    with pytest.raises(ConfigError) as error:
        parts(config, SimpleNamespace(schema=schema))
    (fault,) = error.value.faults
    return fault.what, fault.where, fault.remedy


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
        if "balance" in config.task:
            state = {label.column: {"slope": 1.0, "intercept": 0.5} for label in schema.labels}
            (tmp_path / "calibration.json").write_text(json.dumps(state))
            written = write_checkpoint(build(config.task).model(config, schema).state_dict(), tmp_path / "checkpoints", about={"step": 1})
            write_tested(tmp_path, checkpoint_facts(written)["sha256"])
            written.rename(tmp_path / "checkpoints" / "best")
        else:
            write_tested(tmp_path, "0" * 64)
        return {
            **config.task.get("teacher", {"_target_": "recsys.task.ranking.teacher.Distillation"}),
            "run": str(tmp_path),
            "weight": 0.25,
        }

    return finished


@pytest.fixture
def retriever(retrieval, tmp_path, described):
    """Directory of a finished retrieval run."""
    save_config(described(retrieval, SCHEMA), tmp_path / "config.yaml")
    SCHEMA.save(tmp_path / "schema.json")
    for name in ("lineage.json", "metrics.json"):
        (tmp_path / name).write_text("{}")
    checkpoint = write_checkpoint(build(retrieval.task).model(retrieval, SCHEMA).state_dict(), tmp_path / "checkpoints", about={"step": 1})
    write_tested(tmp_path, checkpoint_facts(checkpoint)["sha256"])
    point(tmp_path / "checkpoints" / "best", checkpoint)
    return tmp_path


def test_it_is_made_of_impressions_and_a_head_per_label(ranking):
    made = parts(ranking)
    assert isinstance(made.module, RankingModule)
    assert made.module.model.heads == ("click", "conversion")
    assert [*made.module.calibrations] == ["click", "conversion"]
    assert (made.loader.rows, made.loader.evaluated) == (Impressions, EvaluationImpressions)
    assert made.module.configure_callbacks() == [made.evaluation]


def test_a_loss_of_the_other_task_is_refused():
    what, where, remedy = refused(composed("task=ranking", "loss=softmax"))
    assert (what, where) == ("SampledSoftmax is no RankingLoss, which this task needs", "loss")
    assert "loss=esmm" in remedy


def test_a_model_of_the_other_task_is_refused(ranking, retrieval):
    what, where, remedy = refused(replace(ranking, model=retrieval.model))
    assert (what, where) == ("TwoTower is no Ranker, which this task needs", "model")
    assert "model=mmoe" in remedy


@pytest.mark.parametrize("key", ["task.candidates", "task.mask_known"])
def test_keys_of_the_other_task_are_refused(key):
    with pytest.raises(ConfigError, match=f"nothing is called '{key.split('.')[1]}' in 'task', Ranking"):
        composed("task=ranking", f"+{key}=1")


def test_the_loss_knows_what_share_of_the_negatives_is_read():
    config = composed("task=ranking", "task.keep_negatives=0.4")
    labels = {"click": torch.tensor([0.0, 1.0, 0.0, 0.0]), "conversion": torch.zeros(4)}
    store = SimpleNamespace(schema=SCHEMA, labels=labels, split=torch.tensor([0, 0, 0, 0]))
    assert parts(config, store).module.kept_share == pytest.approx(1 / 3)  # one of three, not 0.4
    assert parts(composed("task=ranking")).module.kept_share == 1.0


def test_it_names_the_runs_that_it_reads(ranking, tmp_path):
    task = build(with_keys(ranking, retriever=str(tmp_path), teacher={**ranking.task["teacher"], "run": "taught"}).task)
    assert {key: str(run) for key, run in task.other_runs().items()} == {"task.teacher.run": "taught", "task.retriever": str(tmp_path)}
    assert build(ranking.task).other_runs() == {}


def test_a_model_has_the_heads_that_its_loss_asks_for(ranking):
    config = replace(ranking, loss=composed("task=ranking", "loss=dcmt").loss)
    assert build(config.task).model(config, SCHEMA).heads == ("click", "conversion", "conversion/counterfactual")


def test_ranking_needs_a_label(ranking):
    what, where, remedy = refused(replace(ranking, data=replace(ranking.data, labels=(), positive=None)))
    assert (what, where) == ("there is no label to predict", "data.labels")
    assert "such as click" in remedy


def test_a_teacher_is_the_best_of_its_run(ranking, teacher):
    student = composed("task=ranking", "model=shared_bottom")
    made = parts(with_keys(student, teacher=teacher(ranking)), STORE)
    assert type(made.module.teacher.model).__name__ == "MMoE"
    assert type(made.module.model).__name__ == "SharedBottom"
    assert made.module.teacher.weight == 0.25
    assert made.module.teacher.calibrations["click"].intercept == 0.5
    assert parts(student, STORE).module.teacher is None


def test_a_teacher_changes_nothing_of_how_its_student_starts(ranking, teacher):
    starts = []
    for advised in ({**ranking.task["teacher"]}, teacher(ranking)):
        torch.manual_seed(0)
        starts.append(parts(with_keys(ranking, teacher=advised), STORE).module.model.state_dict())
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])


def test_a_teacher_of_other_data_is_refused_with_every_column(ranking, teacher):
    other = replace(SCHEMA, statistics={**SCHEMA.statistics, "item": Statistics("int64", size=6)})
    split = replace(ranking.data, split={**ranking.data.split, "test_days": 14})
    with pytest.raises(ConfigError) as caught:
        parts(with_keys(ranking, teacher=teacher(replace(ranking, data=split), other)), STORE)
    assert [fault.where for fault in caught.value.faults] == ["data.features, column 'item'", "data.split"]
    assert "another vocabulary" in caught.value.faults[0].what
    assert "rows that this one is tested on" in caught.value.faults[1].what
    assert {fault.remedy for fault in caught.value.faults} == {"train both on the same data config"}


def test_a_retrieval_run_teaches_no_ranker(ranking, retrieval, teacher, tmp_path):
    what, where, remedy = refused(with_keys(ranking, teacher=teacher(retrieval)))
    assert (what, where) == ("the teacher is a retrieval run", str(tmp_path))
    assert "ranking run" in remedy


def test_a_ranking_run_is_measured_behind_the_retriever_that_it_names(ranking, retriever):
    assert parts(ranking).evaluation.pair is None
    evaluation = parts(with_keys(ranking, retriever=str(retriever))).evaluation
    assert (evaluation.oracle, evaluation.pair.truths) == (None, {})
    assert isinstance(evaluation.pair.retriever, TwoTower)
    assert not evaluation.pair.retriever.training
    assert (evaluation.pair.num_candidates, evaluation.pair.ks, evaluation.pair.labels) == (200, [20], ("click",))
    assert evaluation.pair.exclude_known


def test_candidates_are_found_as_the_retriever_was_measured(ranking, retrieval, retriever, described):
    (retriever / "config.yaml").unlink()
    other = with_keys(retrieval, evaluation={**retrieval.task["evaluation"], "exclude_known": False})
    save_config(described(other, SCHEMA), retriever / "config.yaml")
    assert not parts(with_keys(ranking, retriever=str(retriever))).evaluation.pair.exclude_known


def test_a_retriever_of_other_data_is_refused(ranking, retrieval, retriever):
    ranking = with_keys(ranking, retriever=str(retriever))
    other = replace(SCHEMA, session="visit", statistics={**SCHEMA.statistics, "item": Statistics("int64", size=9)})
    what, where, remedy = refused(ranking, other)
    assert what == "the retriever was trained on other data, which differ in data.session, training values of 'item'"
    assert where == f"task.retriever={retriever}"
    assert "same data options" in remedy
    what, _, _ = refused(replace(ranking, data=replace(ranking.data, split={**ranking.data.split, "test_days": 3})))
    assert what.endswith("which differ in data.split")


def test_many_differences_are_counted(ranking, retriever):
    features = tuple(Timestamp(f"time{number}", "context") for number in range(8))
    what, _, _ = refused(with_keys(ranking, retriever=str(retriever)), replace(SCHEMA, features=SCHEMA.features + features))
    assert what.endswith("feature 'time3', feature 'time4' and 3 more")


def test_a_ranker_cannot_retrieve(ranking, retriever, described):
    (retriever / "config.yaml").unlink()
    save_config(described(ranking, SCHEMA), retriever / "config.yaml")
    what, where, remedy = refused(with_keys(ranking, retriever=str(retriever)))
    assert (what, where) == ("the run is of the task ranking, which retrieves nothing", f"task.retriever={retriever}")
    assert "name a retrieval run" in remedy


def test_what_candidates_are_worth_needs_a_label(ranking, retrieval, retriever, described):
    schema = replace(SCHEMA, positive=None)
    (retriever / "config.yaml").unlink()
    save_config(described(retrieval, schema), retriever / "config.yaml")
    schema.save(retriever / "schema.json")
    what, where, remedy = refused(with_keys(ranking, retriever=str(retriever)), schema)
    assert what == "no 0/1 label says what a candidate is worth: data.positive is null"
    assert where == "data.positive"
    assert "such as click" in remedy
