from dataclasses import replace

import pytest

from recsys.errors import ConfigError, ResourceError
from recsys.sweep.plan import Plan, stored_plan, stored_settings
from recsys.sweep.sweep_config import SweepConfig
from recsys.sweep.sweeper import lone_sweep

ASKED = SweepConfig({"val/x": "max"}, {"lr": {"low": 1e-5, "high": 0.1, "log": True}, "loss": ["bpr", "bsl"]}, "tpe", 5)
CHOICES = {"loss=bpr": {"lr": 0.1, "loss": {"name": "bpr"}}, "loss=bsl": {"lr": 0.1, "loss": {"name": "bsl", "tau": 1}}}
PLAN = Plan("mine", ("seed=1",), ASKED, {"lr": 0.1, "loss": {"name": "bpr"}}, CHOICES)


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "bpr.yaml").write_text("name: bpr\n")
    (tmp_path / "conf" / "notes.txt").write_text("no yaml")
    return tmp_path / "conf"


@pytest.fixture
def folder(tmp_path, conf):
    folder = tmp_path / "sweep"
    folder.mkdir()
    assert stored_plan(folder, PLAN, (conf,)) == PLAN
    return folder


def test_conf_is_kept_as_it_was(folder, conf):
    (conf / "loss" / "bpr.yaml").write_text("name: other\n")
    assert stored_plan(folder, PLAN, (conf,)) == PLAN
    assert (folder / "conf" / "loss" / "bpr.yaml").read_text() == "name: bpr\n"
    assert not (folder / "conf" / "notes.txt").exists()
    assert stored_settings(folder) == ASKED


def test_sweep_may_be_given_more_trials(folder, conf):
    more = replace(PLAN, sweep=replace(ASKED, trials=50))
    assert stored_plan(folder, more, (conf,)).sweep.trials == 50


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": {"lr": 0.2, "loss": {"name": "bpr"}}}, "'lr' was 0.1 when this sweep began, and is 0.2 now"),
        ({"config": {"lr": 0.1, "loss": {"name": "bpr"}, "new": 1}}, "'new' was nothing when this sweep began, and is 1 now"),
        ({"sweep": replace(ASKED, sampler="random")}, "'hydra.sweeper.sampler' was 'tpe' when this sweep began, and is 'random' now"),
        ({"sweep": replace(ASKED, space={"loss": ["bpr", "bsl"]})}, "'hydra.sweeper.space.lr.low' was 1e-05 when"),
        (
            {"choices": {**CHOICES, "loss=bsl": {"lr": 0.1, "loss": {"name": "bsl", "tau": 2}}}},
            "'loss=bsl.loss.tau' was 1 when this sweep began, and is 2 now",
        ),
    ],
)
def test_what_changed_is_named(folder, conf, change, said):
    with pytest.raises(ConfigError) as refused:
        stored_plan(folder, replace(PLAN, **change), (conf,))
    assert said in str(refused.value)
    assert "start a new sweep with hydra.sweep.dir=DIR" in str(refused.value)


def test_sweep_that_was_killed_before_it_began_begins_anew(tmp_path, conf):
    folder = tmp_path / "sweep"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "half.yaml").write_text("a: 1\n")
    assert stored_plan(folder, PLAN, (conf,)) == PLAN
    assert not (folder / "conf" / "half.yaml").exists()


def test_a_sweep_that_cannot_have_its_directory_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="file"), lone_sweep(tmp_path / "file"):
        pass


@pytest.mark.parametrize("change", [{"fixed": ("data.root=s3://me:hush@host/x",)}, {"config": {"data": {"root": "s3:/me:hush@host/x"}}}])
def test_a_password_that_the_sweep_would_keep_is_refused(tmp_path, conf, change):
    with pytest.raises(ConfigError) as refused:
        stored_plan(tmp_path, replace(PLAN, **change), (conf,))
    assert "data.root=" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert not (tmp_path / "sweep.yaml").exists()
