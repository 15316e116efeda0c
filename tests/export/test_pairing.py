"""Which two runs become one bundle, and what is said of others."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.base import composed
from recsys.config import plain
from recsys.errors import ConfigError
from recsys.export.program import check_pair, joined_metrics
from recsys.run.directory import RunDirectory
from recsys.schema import Categorical, History, Label, Schema, Statistics

FEATURES = (Categorical("user", "user"), History("history", "user", of="item", max_len=50), Categorical("item", "item"))
SCHEMA = Schema("user", "item", time="time", features=FEATURES, labels=(Label("click"),)).fitted({"item": Statistics("int64", 5)})


def finished(name, *overrides, schema=SCHEMA):
    config = composed(*overrides)
    run = RunDirectory(Path(name), plain(config))
    vars(run).update(config=config, schema=schema)  # as read from its files
    return run


@pytest.fixture(scope="module")
def retrieval():
    return finished("one")


def refused(run, ranker):
    """what, where and remedy of the only fault."""
    with pytest.raises(ConfigError) as caught:
        check_pair(run, ranker)
    (fault,) = caught.value.faults
    return fault.what, fault.where, fault.remedy


def test_runs_of_one_schema_fit_wherever_their_data_is_kept(retrieval):
    check_pair(retrieval, finished("two", "task=ranking", "data.store=elsewhere"))


def test_exchanged_runs_are_refused_with_the_command_that_works(retrieval):
    what, where, remedy = refused(finished("two", "task=ranking"), retrieval)
    assert what.startswith("'run' names a ranking run and 'ranker' a retrieval run,")
    assert where == "run=two, ranker=one"
    assert remedy == "exchange them: python export.py run=one ranker=two"


def test_two_runs_of_one_task_are_refused(retrieval):
    what, _, remedy = refused(retrieval, retrieval)
    assert what.startswith("'run' names a retrieval run and 'ranker' a retrieval run, and both belong under 'run'")
    assert remedy == "name a run of another task as ranker=, or export one alone: python export.py run=one"
    ranking = finished("two", "task=ranking")
    assert refused(ranking, ranking)[2] == "name a run of another task as run=, or export one alone: python export.py run=two"


def test_other_training_rows_are_refused_with_columns_and_settings(retrieval):
    other = finished("two", "task=ranking", "data.source.seed=3", schema=SCHEMA.fitted({"item": Statistics("int64", 7)}))
    what, where, remedy = refused(retrieval, other)
    assert what == "a bundle has one schema, and the runs were trained on different data, which differ in training values of 'item'"
    assert where == "one and two"
    assert remedy == "train both with the same data=... and the same data settings; now they differ in data.source.seed (0 and 3)"


def test_columns_that_are_declared_otherwise_are_named_with_their_setting(retrieval):
    features = (FEATURES[0], replace(FEATURES[1], max_len=20), FEATURES[2])
    schema = replace(SCHEMA, features=features, time=None)
    what, _, remedy = refused(retrieval, finished("two", "task=ranking", "data.features.5.max_len=20", schema=schema))
    assert what.endswith("which differ in data.time, feature 'history'")
    assert remedy.endswith("now they differ in data.features")


def test_tables_that_changed_under_the_same_settings_are_refused(retrieval):
    other = finished("two", "task=ranking", "data.store=elsewhere", schema=SCHEMA.fitted({"item": Statistics("int64", 7)}))
    assert refused(retrieval, other)[2].startswith("the settings are the same, so tables or code have changed in between")


def test_of_many_columns_five_are_named(retrieval):
    many = tuple(Categorical(f"column_{number}", "item") for number in range(7))
    other = finished("two", "task=ranking", schema=replace(SCHEMA, features=FEATURES + many))
    names = ", ".join(f"feature 'column_{number}'" for number in range(5))
    assert refused(retrieval, other)[0].endswith(f"which differ in {names} and 2 more")


def test_another_data_set_is_named_without_the_settings_of_its_source(retrieval):
    other = finished("two", "task=ranking", "data=census", "data.root=folder", schema=replace(SCHEMA, user="person"))
    remedy = refused(retrieval, other)[2]
    assert "data.name (shop and census), data.source._target_ (recsys.source.shop.Shop and recsys.source.tables.TableFiles)" in remedy
    assert "num_users" not in remedy


def test_metrics_of_one_name_and_two_values_are_refused():
    with pytest.raises(ConfigError, match=r"with other values: test/b\n.*\n.*export each run alone"):
        joined_metrics({"test/a": 1.0, "test/b": 2.0, "test/c": 3.0}, {"test/b": 2.5, "test/c": 3.0})


def test_metrics_of_both_are_kept():
    assert joined_metrics({"test/a": 1.0}, {"test/a": 1.0, "test/b": 2.0}) == {"test/a": 1.0, "test/b": 2.0}
