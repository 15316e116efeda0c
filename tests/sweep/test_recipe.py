import shutil
from pathlib import Path

import pytest

from recsys.config import TrainConfig
from recsys.config.compose import checked_command
from recsys.sweep.frozen import Plan
from recsys.sweep.recipe import recipe
from recsys.sweep.sweep_config import SweepConfig

CONF = Path(__file__).parents[2] / "conf"


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
    text = recipe(3, {"val/x": 0.5}, parameters, plan, tmp_path / "sweep")
    (tmp_path / "conf" / "experiment" / "best.yaml").write_text(text)
    _, _, command = text.splitlines()[1].partition("python train.py ")
    trial = config_of(CONF, [*fixed, *(f"{key}={value}" for key, value in parameters.items())])
    assert config_of(tmp_path / "conf", command.split()) == trial
    assert trial != config_of(CONF, fixed)
