import shutil
from pathlib import Path

import pytest
import yaml

from recsys.config import TrainConfig
from recsys.config.compose import checked_command
from recsys.sweep.plan import Plan
from recsys.sweep.results import experiment_yaml, trial_experiment
from recsys.sweep.sweep_config import SweepConfig

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def conf(tmp_path):
    for group in ("loss", "tower", "experiment", "task"):
        (tmp_path / group).mkdir()
    return tmp_path


def test_choices_become_overrides_and_keys_values(conf):
    overrides = ["task=ranking", "tower@model.user=sequence", "loss.temperature=0.05", "++model.hidden=[64,null]", "data.root='a b'"]
    text = experiment_yaml(overrides, conf=conf, header="What for.")
    assert text.startswith("# @package _global_\n# What for.   python train.py experiment=best\n")
    assert yaml.safe_load(text) == {
        "defaults": [{"override /task": "ranking"}, {"override /tower@model.user": "sequence"}, "_self_"],
        "loss": {"temperature": 0.05},
        "model": {"hidden": [64, None]},
        "data": {"root": "a b"},
    }


def test_experiment_is_built_upon(conf):
    text = experiment_yaml(["experiment=movielens", "loss=bpr"], conf=conf, header="x.")
    assert yaml.safe_load(text)["defaults"] == ["movielens", {"override /loss": "bpr"}, "_self_"]


def test_what_a_file_cannot_say_stays_on_the_command_line(conf):
    overrides = ["~callbacks.early_stopping", "data.features.0.max_len=5", "seed=1"]
    text = experiment_yaml(overrides, conf=conf, header="x.")
    assert "python train.py experiment=best ~callbacks.early_stopping data.features.0.max_len=5\n" in text
    assert yaml.safe_load(text) == {"defaults": ["_self_"], "seed": 1}


def test_text_that_looks_like_a_number_stays_text(conf):
    assert "name: '1e-3'" in experiment_yaml(["name='1e-3'"], conf=conf, header="x.")  # OmegaConf reads 1e-3 as a number


def config_of(conf, overrides):
    return checked_command((conf,), "train", overrides, TrainConfig, multirun=False).config


@pytest.mark.parametrize(
    ("fixed", "parameters"),
    [
        (["data.source.num_users=600"], {"loss": "bsl", "optimizer.dense.lr": 3.2e-05, "model.dim": "128"}),
        (["task=ranking"], {"model": "ple", "model.input.embedding_dim": "16", "optimizer.tables.weight_decay": 0.25}),
        (["experiment=movielens", "data.root='a folder'"], {"candidates": "uniform", "model.dim": "32"}),
        (["~callbacks.early_stopping", "monitor=val/ndcg@20"], {"tower@model.user": "sequence", "trainer.gradient_clip_val": "null"}),
        (["++trainer.max_time='00:01:00:00'"], {"task.evaluation.ks": "[10,20]", "seed": 3}),
    ],
)
def test_best_yaml_is_the_config_of_its_trial(tmp_path, fixed, parameters):
    plan = Plan("mine", tuple(fixed), SweepConfig({"val/x": "max"}, {}, "tpe", 1), {}, {})
    (tmp_path / "sweep").mkdir()
    shutil.copytree(CONF, tmp_path / "sweep" / "conf")
    shutil.copytree(CONF, tmp_path / "conf")
    text = trial_experiment(3, {"val/x": 0.5}, parameters, plan, tmp_path / "sweep")
    (tmp_path / "conf" / "experiment" / "best.yaml").write_text(text)
    _, _, command = text.splitlines()[1].partition("python train.py ")
    trial = config_of(CONF, [*fixed, *(f"{key}={value}" for key, value in parameters.items())])
    assert config_of(tmp_path / "conf", command.split()) == trial
    assert trial != config_of(CONF, fixed)
