import json

import pytest

from recsys.errors import ConfigError, IntegrityError
from recsys.report.compare import differences, require_comparable
from recsys.run.directory import RunDirectory


def refused(*paths):
    """(what, where) of every fault."""
    with pytest.raises(ConfigError) as caught:
        require_comparable([RunDirectory.open(path) for path in paths])
    return [(fault.what, fault.where) for fault in caught.value.faults]


def test_runs_of_one_test_are_comparable_whatever_their_model(retrieval):
    require_comparable([RunDirectory.open(retrieval("a")), RunDirectory.open(retrieval("b", recall=[1, 1, 0, 0]))])


def test_other_tasks_are_refused(retrieval, ranking):
    a, b = retrieval("a"), ranking("b")
    assert refused(a, b) == [("the runs have different tasks: retrieval and ranking", f"{b} beside {a}")]
    with pytest.raises(ConfigError) as error:
        require_comparable([RunDirectory.open(a), RunDirectory.open(b)])
    assert "data options" not in error.value.faults[0].remedy  # other data would not help


def test_another_split_is_named(retrieval):
    split = {"_target_": "recsys.data.split.Temporal", "val_days": 7, "test_days": 14}
    a, b = retrieval("a"), retrieval("b", changed={"sha256": "ef" * 32}, split=split)
    ((what, _),) = refused(a, b)
    assert what == "the runs were tested on different data, which differ in data.split.test_days: 7 and 14"


def test_other_files_are_named(retrieval):
    a, b = retrieval("a"), retrieval("b", changed={"sha256": "ef" * 32})
    document = (b / "data.json").read_text().replace("ab" * 32, "ba" * 32)
    (b / "data.json").write_text(document)
    ((what, _),) = refused(a, b)
    assert what.startswith("the runs were tested on different data, which differ in <script>")  # the file's name


def test_another_catalogue_is_named(retrieval):
    ((what, _),) = refused(retrieval("a"), retrieval("b", changed={"items": 9}))
    assert what == "the runs ranked different catalogues: 8 and 9 items"


@pytest.mark.parametrize(
    ("changed", "told"),
    [({}, "given is click and None"), ({"given": "click", "kind": "regression"}, "kind is binary and regression")],
)
def test_labels_of_another_meaning_are_named(ranking, changed, told):
    labels = [{"_target_": "recsys.schema.Label", "column": "click"}, {"_target_": "recsys.schema.Label", "column": "buy", **changed}]
    ((what, _),) = refused(ranking("a"), ranking("b", labels=labels))
    assert what == f"their labels mean different things: buy.{told}"


def test_labels_that_say_their_defaults_mean_the_same(ranking):
    labels = [{"column": "click", "given": None, "kind": "binary"}, {"column": "buy", "given": "click", "policy": "drop"}]
    require_comparable([RunDirectory.open(ranking("a")), RunDirectory.open(ranking("b", labels=labels))])


@pytest.mark.parametrize("test", [None, {}, {"user": "user_id", "rows": "4", "items": 8, "sha256": "ab"}])
def test_a_file_that_does_not_say_what_was_tested_is_damage(retrieval, test):
    a, b = retrieval("a"), retrieval("b")
    document = json.loads((b / "data.json").read_text()) | {"test": test}
    (b / "data.json").write_text(json.dumps({key: value for key, value in document.items() if value is not None}))
    with pytest.raises(IntegrityError, match=r"data\.json is not what a run writes"):
        require_comparable([RunDirectory.open(a), RunDirectory.open(b)])


def test_every_run_that_differs_is_named(retrieval):
    a, b, c = retrieval("a"), retrieval("b", changed={"items": 9}), retrieval("c", changed={"items": 7})
    assert [where for _, where in refused(a, b, c)] == [f"{b} beside {a}", f"{c} beside {a}"]


def test_differences_of_configs_are_told_key_by_key():
    one = {"model": {"dim": 64, "hidden": [8, 4]}, "seed": 0}
    other = {"model": {"dim": 32, "hidden": [8, 2]}, "seed": 0, "loss": None}
    assert differences(one, other) == {"model.dim": ("64", "32"), "model.hidden.1": ("4", "2"), "loss": ("nothing", "None")}
