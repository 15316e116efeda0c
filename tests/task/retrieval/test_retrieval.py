"""Which parts make a retrieval run, and which of them do not fit each other; the configs are those that the command line composes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks.base import composed
from recsys.config import build
from recsys.errors import ConfigError
from recsys.schema import Categorical, Label, Schema, Statistics
from recsys.source.base import Source

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
def config():
    return composed()


def test_a_loss_of_the_other_task_is_refused():
    what, where, remedy = refused(composed("loss=esmm"))
    assert (what, where) == ("ESMM is no RetrievalLoss, which this task needs", "loss")
    assert "loss=softmax" in remedy


def test_a_model_of_the_other_task_is_refused(config):
    what, where, remedy = refused(replace(config, model=composed("task=ranking").model))
    assert (what, where) == ("MMoE is no TwoTower, which this task needs", "model")
    assert "model=two_tower" in remedy


@pytest.mark.parametrize("key", ["task.balance", "task.teacher", "task.retriever", "task.keep_negatives"])
def test_keys_of_the_other_task_are_refused(key):
    with pytest.raises(ConfigError, match=f"nothing is called '{key.split('.')[1]}' in 'task', Retrieval") as error:
        composed(f"+{key}=1")
    assert all(key in fault.where for fault in error.value.faults)


def test_candidates_that_are_null_are_refused_before_anything_is_built():
    with pytest.raises(ConfigError, match=r"task\.candidates.*recsys\.candidates\.base\.Candidates|'task\.candidates' takes") as error:
        composed("~task.candidates", "+task.candidates=null")
    assert len(error.value.faults) == 1


def test_it_reads_no_other_run(config):
    assert build(config.task).other_runs() == {}


@pytest.mark.parametrize(
    ("absent", "keys"), [(("user",), "data.user"), (("item",), "data.item"), (("user", "item"), "data.user and data.item")]
)
def test_it_needs_users_and_items(config, absent, keys):
    what, where, remedy = refused(replace(config, data=replace(config.data, **dict.fromkeys(absent))))
    assert f"{keys} is null" in what
    assert where == keys
    assert "task=ranking" in remedy
