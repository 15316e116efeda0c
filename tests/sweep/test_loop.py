import json
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
import yaml

from recsys.config import TrainConfig
from recsys.config.compose import checked_command
from recsys.errors import ConfigError
from recsys.sweep import launcher, results
from recsys.sweep.loop import Sweep
from recsys.sweep.plan import FILE, Plan
from recsys.sweep.study import ask
from recsys.sweep.sweep_config import SweepConfig

HOME = Path(__file__).parents[2]


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """What the next trial of a sweep would run."""
    monkeypatch.setattr(sys, "argv", [str(HOME / "train.py"), "-m", "sweep=mine"])

    def commands(objectives=None, pruner=None, logger=(), folder=tmp_path):
        config = SweepConfig(objectives or {"val/recall@20": "max"}, {"loss": ["bpr"]}, "random", 1, pruner)
        sweep = Sweep(folder, Plan("mine", ("model.dim=32",), config, {"logger": dict(logger)}, {}), Ends([]), cwd="/")
        return sweep._commands(ask(sweep.study, config))

    return commands


def test_trial_is_a_command_line_of_the_frozen_config(commands, tmp_path):
    made = commands()
    assert made.train == (sys.executable, str(HOME / "train.py"), f"--config-path={tmp_path / 'conf'}", "model.dim=32", "loss=bpr")
    assert made.export is None


def test_each_trial_is_one_run_of_wandb_in_the_group_that_was_asked_for(commands):
    train = commands(logger={"wandb": {"group": "night"}}).train
    assert train[-2:] == ("logger.wandb.group=night", "logger.wandb.name=night-0")
    checked_command((HOME / "conf",), "train", ["logger=wandb", *train[3:]], TrainConfig, multirun=False)


def test_trials_of_one_directory_are_a_group_of_wandb_and_those_of_another_are_not(commands, tmp_path):
    (tmp_path / "other").mkdir()
    folders = (tmp_path, tmp_path, tmp_path / "other")  # each time the sweep is started again
    first, second, other = (commands(logger={"wandb": {"group": None}}, folder=folder).train[-2:] for folder in folders)
    group = first[0].partition("=")[2]
    assert group.startswith("mine-2")  # of the year
    assert second == (first[0], f"logger.wandb.name={group}-1")
    assert other[0] != first[0]


def test_pruner_watches_the_objective(commands, tmp_path):
    train = commands(pruner="median").train
    node = ["callbacks.pruning.monitor=val/recall@20", f"callbacks.pruning.sweep={tmp_path}", "callbacks.pruning.trial=0"]
    assert list(train[-4:]) == ["+callbacks@callbacks.pruning=pruning", *node]
    (tmp_path / FILE).write_text(yaml.safe_dump({"sweep": {}}))
    checked_command((HOME / "conf",), "train", list(train[3:]), TrainConfig, multirun=False)


def test_objective_of_the_bundle_exports_each_trial(commands):
    made = commands(objectives={"val/recall@20": "max", "bundle/size_mb": "min"})
    assert made.export == (sys.executable, str(HOME / "export.py"))


class Ends:
    """A launcher and its executor: each trial ends at once, with the next exit code and what it printed."""

    n_jobs = processes = 1

    def __init__(self, ends):
        self.ends = iter(ends)

    def executor(self, folder):
        return self

    def submit(self, function, folder, number, commands):
        run = folder / f"trial-{number}"
        run.mkdir()
        code, printed = next(self.ends)
        (run / "output.log").write_text(printed)
        (run / "metrics.json").write_text(json.dumps({"val/x": number}))
        future = Future()
        future.set_result((run, code))
        return future

    def shutdown(self, **how):
        pass


@pytest.fixture
def swept(tmp_path, monkeypatch, capsys):
    """What a sweep of one choice says while its trials end so."""
    monkeypatch.setattr(sys, "argv", [str(HOME / "train.py")])
    (tmp_path / "conf").mkdir()

    def swept(*ends, begun=0, wanted=None, loss=("bpr",)):
        config = SweepConfig({"val/x": "max"}, {"loss": list(loss)}, "random", wanted or len(ends))
        sweep = Sweep(tmp_path, Plan("mine", (), config, {"logger": {}}, {}), Ends(ends), cwd="/")
        for _ in range(begun):
            ask(sweep.study, config)
        sweep.run()
        return capsys.readouterr().out

    return swept


def test_reason_in_brackets_is_no_markup(swept):
    said = swept((1, "ValueError: no [/x] and no [relu]"), (0, ""), loss=("[/y]",))
    assert said.count("ValueError: no [/x] and no [relu]") == 2  # after the trial, and below the table
    assert said.count("loss='[/y]'") == 2


def test_best_is_offered_where_a_trial_finished(swept, tmp_path):
    assert f"cp {tmp_path}/best.yaml conf/experiment/best.yaml" in swept((0, ""))


def test_sweep_whose_trials_are_all_pruned_offers_no_best(swept):
    said = swept((1, "ValueError: no"), (8, ""), (8, ""))
    assert "no trial finished, so none is the best: 2 pruned, 1 failed" in said
    assert "best.yaml" not in said


def test_page_is_drawn_seldom_where_it_takes_long_and_always_at_the_end(swept, tmp_path, monkeypatch):
    counts = []

    def page(found, *_):
        counts.append(len(found))
        time.sleep(0.2)  # longer than all trials together
        return ""

    monkeypatch.setattr(results, "page", page)
    swept(*[(0, "")] * 3)
    assert counts == [1, 3]


def test_page_that_cannot_be_drawn_ends_no_sweep(swept, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "page", lambda *_: 1 / 0)
    swept((0, ""), (0, ""))
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["best.yaml", "journal.log", "trials.parquet"]


def test_fewer_trials_than_were_begun_leave_none(swept):
    said = swept((0, ""), (0, ""), (0, ""), begun=3, wanted=2)
    assert [line.rpartition("   ")[2] for line in said.splitlines() if line.startswith("trial ")] == [
        "1 left, 0 s",
        "none left",
        "none left",
    ]


def test_directory_with_trials_of_another_sweep_is_refused(commands, tmp_path):
    (tmp_path / "trial-0").mkdir()
    with pytest.raises(ConfigError, match="trials of another sweep are here"):
        commands()


def test_program_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    assert launcher.program() == [sys.executable, str(tmp_path / "train.py")]
