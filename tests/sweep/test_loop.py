import sys
from pathlib import Path

import pytest
import yaml

from recsys.config import TrainConfig
from recsys.config.compose import checked
from recsys.config.sweep import SweepConfig
from recsys.errors import ConfigError
from recsys.sweep import launcher
from recsys.sweep.frozen import FILE, Plan
from recsys.sweep.loop import Sweep
from recsys.sweep.study import ask

HOME = Path(__file__).parents[2]


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """What the first trial of a sweep would run."""
    monkeypatch.setattr(sys, "argv", [str(HOME / "train.py"), "-m", "sweep=mine"])

    def commands(objectives=None, pruner=None, logger=()):
        config = SweepConfig(objectives or {"val/recall@20": "max"}, {"loss": ["bpr"]}, "random", 1, pruner)
        sweep = Sweep(tmp_path, Plan("mine", ("model.dim=32",), config, {"logger": {name: {} for name in logger}}, {}), None, cwd="/")
        return sweep._commands(ask(sweep.study, config))

    return commands


def test_trial_is_a_command_line_of_the_frozen_config(commands, tmp_path):
    made = commands()
    assert made.train == (sys.executable, str(HOME / "train.py"), f"--config-path={tmp_path / 'conf'}", "model.dim=32", "loss=bpr")
    assert made.export is None


def test_each_trial_is_one_run_of_wandb_in_the_group_of_its_sweep(commands):
    train = commands(logger=("wandb",)).train
    assert train[-2:] == ("logger.wandb.group=mine", "logger.wandb.name=mine-0")
    checked(HOME / "conf", "train", ["logger=wandb", *train[3:]], TrainConfig, multirun=False)


def test_pruner_watches_the_objective(commands, tmp_path):
    train = commands(pruner="median").train
    node = ["callbacks.pruning.monitor=val/recall@20", f"callbacks.pruning.sweep={tmp_path}", "callbacks.pruning.trial=0"]
    assert list(train[-4:]) == ["+callbacks@callbacks.pruning=pruning", *node]
    (tmp_path / FILE).write_text(yaml.safe_dump({"sweep": {}}))
    checked(HOME / "conf", "train", list(train[3:]), TrainConfig, multirun=False)


def test_objective_of_the_bundle_exports_each_trial(commands):
    made = commands(objectives={"val/recall@20": "max", "bundle/size_mb": "min"})
    assert made.export == (sys.executable, str(HOME / "export.py"))


def test_directory_with_trials_of_another_sweep_is_refused(commands, tmp_path):
    (tmp_path / "trial-0").mkdir()
    with pytest.raises(ConfigError, match="trials of another sweep are here"):
        commands()


def test_program_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    assert launcher.program() == [sys.executable, str(tmp_path / "train.py")]
