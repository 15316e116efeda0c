import re
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from recsys.config import Makes
from recsys.config.compose import checked_command
from recsys.errors import ConfigError

ROOT = """
defaults:
  - feature: id
  - feature@second: id
  - _self_
  - experiment: null
seed: 0
names: [a, b]
hydra: {output_subdir: null}
"""
ID = "# An id.\n_target_: recsys.schema.Categorical\ncolumn: item_id\nentity: item\n"
AGE = "# An age.\n_target_: recsys.schema.Numeric\ncolumn: age\nentity: user\nlog: false\n"
YOUNG = "# @package _global_\ndefaults:\n  - override /feature: age\nseed: 7\n"


@dataclass(frozen=True)
class Root:
    feature: Annotated[dict, Makes("recsys.schema.Feature")]
    second: Annotated[dict, Makes("recsys.schema.Feature")]
    names: list[str] = field(default_factory=list)
    seed: int = 0


@pytest.fixture
def conf(tmp_path):
    for name, text in {"train": ROOT, "feature/id": ID, "feature/age": AGE, "experiment/young": YOUNG}.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "conf"


def faults(conf, *texts, multirun=False):
    with pytest.raises(ConfigError) as caught:
        checked_command((conf,), "train", list(texts), Root, multirun=multirun)
    return [(fault.what, fault.where, fault.remedy) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["seed=3"],
        ["feature=age", "feature.log=true"],
        ["feature@second=age"],
        ["experiment=young"],
        ["names=[c]"],
        ["names.0=c"],
        ["feature.column=${second.column}"],
        ["hydra.run.dir=out"],
    ],
)
def test_good_overrides_pass_as_they_are(conf, texts):
    assert checked_command((conf,), "train", texts, Root, multirun=False).overrides == texts


def test_key_that_only_the_signature_knows_is_added(conf):
    assert checked_command((conf,), "train", ["feature.min_count=3"], Root, multirun=False).overrides == ["++feature.min_count=3"]


def test_mistyped_key_names_the_command_line_and_what_is_taken(conf):
    assert faults(conf, "feature.colum=x") == [
        (
            "nothing is called 'colum' in 'feature', Categorical; did you mean 'column'?",
            "command line, feature.colum=x, key 'feature.colum'",
            "taken there: column, entity, min_count, buckets",
        )
    ]


def test_mistyped_key_in_a_yaml_names_file_and_line(conf):
    (conf / "feature" / "id.yaml").write_text(ID + "min_cont: 3\n")
    what, where, _ = faults(conf, "feature@second=age")[0]
    assert what.endswith("did you mean 'min_count'?")
    assert where == "conf/feature/id.yaml, line 5, key 'feature.min_cont'"


def test_mistyped_group_and_added_key(conf):
    found = faults(conf, "featur=age", "+foo=1")
    assert [what for what, _, _ in found] == [
        "nothing is called 'featur' in the config; did you mean 'feature'?",
        "nothing is called 'foo' in the config",
    ]
    assert found[1][1] == "command line, +foo=1, key 'foo'"


def test_mistyped_choice_names_the_choices(conf):
    assert faults(conf, "feature=aeg") == [
        ("there is no feature 'aeg'; did you mean 'age'?", "command line, feature=aeg", "use one of age, id"),
    ]


def test_choice_for_a_place_that_does_not_exist(conf):
    what, _, remedy = faults(conf, "feature@secnd=age")[0]
    assert what == "nothing in this config is chosen by 'feature@secnd'; did you mean 'feature@second'?"
    assert set(remedy.removeprefix("use one of ").split(", ")) == {"feature", "feature@second"}


def test_all_faults_of_a_command_line_come_together(conf):
    found = faults(conf, "feature@second=aeg", "feature.colum=x", "seed=1.5", "sede=3", "experiment=yuong")
    assert len(found) == 5
    assert all(where.startswith("command line, ") for _, where, _ in found)


def test_keys_of_a_refused_choice_are_not_judged(conf):
    assert len(faults(conf, "feature=aeg", "feature.log=true")) == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a=b=[", "cannot read 'a=b=['"),
        ("seed=1,2", "'seed=1,2' lists several values"),
        ("~foo", "'foo' does not exist"),
        ("+seed=3", "already at 'seed'"),
        ("seed.x=3", "'seed' takes a whole number, got a mapping"),
        ("seed='1'", "'seed' takes a whole number, got the text '1'"),
        ("~feature", "'feature' is missing"),
        ("feature=null", "there is no feature 'null'"),
        ("hydra.bla=3", "Could not override 'hydra.bla'"),
        ("feature.column=${second.colum}", "Interpolation key 'second.colum' not found"),
        ("feature.column=${feature.column}", "leads back to itself"),
        ("feature.column=???", "'feature.column' has to be given"),
        ("feature.column=${oc.env:HOME}", "calls a resolver"),
        ("hydra.run.dir=${oc.env:HOME}", "may not read the environment"),
        ("+hydra.callbacks.x._target_=os.system", "'os.system' is not allowed"),
        ("feature._target_=os.system", "'os.system' is not allowed"),
        ("feature._target_=recsys.schema.json.loads", "no module 'json'"),
    ],
)
def test_other_faults_of_a_command_line(conf, text, what):
    assert any(what in found for found, _, _ in faults(conf, text))


def test_every_value_of_a_sweep_is_checked(conf):
    texts = ["seed=1,x,2", "feature=id,aeg", "feature@second=id,age"]
    found = faults(conf, *texts, multirun=True)
    assert [what for what, _, _ in found] == [
        "'seed' takes a whole number, got the text 'x'",
        "there is no feature 'aeg'; did you mean 'age'?",
    ]
    assert checked_command((conf,), "train", ["seed=range(1,4)", "feature=id,age", "feature.column=a,b"], Root, multirun=True)


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("a: [", "not readable as yaml", r"id.yaml, line \d"),
        ("a: 1\na: 2\n", "duplicate key a", r"id.yaml, line 2"),
        ("defaults: [{colour: red}]\n", "Could not find 'feature/colour/red'", "defaults lists"),
    ],
)
def test_broken_yaml_is_named(conf, text, what, where):
    (conf / "feature" / "id.yaml").write_text(text)
    found_what, found_where, _ = faults(conf)[0]
    assert re.search(what, found_what)
    assert re.search(where, found_where)
