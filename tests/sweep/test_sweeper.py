"""Whole sweeps from the command line, over a program that learns nothing in no time."""

import json
import os
import signal
import subprocess
import time

import polars as pl
import pytest
import yaml

from recsys.sweep.plan import stored_settings
from recsys.sweep.study import open_study
from recsys.sweep.trial import is_alive

pytestmark = pytest.mark.slow
RANDOM = "hydra.sweeper.sampler=random"


def trials(home):
    return pl.read_parquet(home.swept / "trials.parquet").sort("number")


def test_sweep_ranks_its_trials_and_leaves_the_best_as_an_experiment(home):
    done = home.sweep("width=16")
    assert done.returncode == 0, done.stderr
    table = trials(home)
    assert table["state"].to_list() == ["finished"] * 3
    assert home.begun() == ["trial-0", "trial-1", "trial-2"]
    for run, lr, score in table.select("run", "lr", "val/score").iter_rows():
        assert json.loads((home.swept / run / "metrics.json").read_text())["val/score"] == score
        assert f"{run} {lr} 16" in (home.path / "begun").read_text()  # what the command line says is fixed for all
    best = table.sort("val/score")[-1]
    assert best["rank"].item() == 1
    recipe = yaml.safe_load((home.swept / "best.yaml").read_text())
    assert recipe["width"] == 16
    assert float(recipe["lr"]) == best["lr"].item()
    assert {"override /loss": best["loss"].item()} in recipe["defaults"]
    assert "val/score" in done.stdout.splitlines()[1]
    assert "Trials" in done.stdout
    assert (home.swept / "sweep.html").read_text().count("<figure>") == 2  # too few trials to say what mattered


def test_sweep_of_a_choice_runs_each(home):
    home.write("sweep/mine", GRID)
    done = home.sweep()
    assert done.returncode == 0, done.stderr
    points = sorted(trials(home).select("lr", "loss").rows())
    assert points == [("0.01", "bad"), ("0.01", "good"), ("0.1", "bad"), ("0.1", "good")]


GRID = """# @package _global_
defaults:
  - override /hydra/sweeper: optuna
hydra:
  sweep: {dir: swept}
  sweeper:
    objectives: {val/score: max, val/cost: min}
    sampler: grid
    trials: null
    space: {lr: [0.1, 0.01], loss: [good, bad]}
width: 5
"""


def test_sweep_of_two_objectives_names_what_nothing_beats(home):
    home.write("sweep/mine", GRID.replace("lr: [0.1, 0.01], loss: [good, bad]", "lr: [0.1, 0.01], width: [1, 2]"))
    assert home.sweep().returncode == 0
    table = trials(home)
    # score -1 at 0.1, 0 at 0.01; cost is the width: 0.01 and 1 beat all others in both
    assert table.filter(pl.col("rank") == 1).select("lr", "width").row(0) == ("0.01", "1")
    assert len(list((home.swept / "front").iterdir())) == 1


def test_file_of_a_sweep_sets_values_of_all_trials(home):
    home.write("sweep/mine", GRID)
    home.sweep("loss=good")
    assert {line.split()[2] for line in (home.path / "begun").read_text().splitlines()} == {"5"}
    assert trials(home).columns.count("loss") == 0  # fixed by the command line


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("data", "Data error: row 3 is bad"),
        ("bug", "RuntimeError: a bug"),
        ("memory", "killed by SIGKILL, as happens where memory runs out"),
        ("hollow", "val/score is nan"),
    ],
)
def test_failed_trial_says_why_and_the_others_run(home, end, reason):
    space = f"hydra.sweeper.space={{end: [well, {end}]}}"
    done = home.sweep("lr=0.1", "loss=good", space, "hydra.sweeper.sampler=grid", "hydra.sweeper.trials=null")
    assert done.returncode == 0, done.stderr
    table = trials(home)
    assert sorted(table["state"].to_list()) == ["failed", "finished"]
    assert table.filter(pl.col("state") == "failed")["reason"].item() == reason
    assert f"failed: {reason}" in done.stdout


def test_trial_that_somebody_else_stopped_goes_on(home):
    done = home.sweep("end=preempted", "hydra.sweeper.trials=2")
    assert done.returncode == 0, done.stderr
    assert home.begun() == ["trial-0", "trial-0", "trial-1", "trial-1"] or home.begun() == ["trial-0", "trial-1", "trial-0", "trial-1"]
    assert trials(home)["state"].to_list() == ["finished"] * 2


def test_sweep_whose_trials_all_fail_ends_with_7(home):
    done = home.sweep("end=data", "hydra.sweeper.trials=2")
    assert done.returncode == 7
    assert done.stderr.startswith("Sweep error: 1 problem:\n  1. all 2 trials failed; the last: Data error: row 3 is bad")


def test_objective_that_no_run_measures_ends_the_sweep_at_once(home):
    done = home.sweep("hydra.sweeper.objectives={val/score: max, val/coost: min}")
    assert done.returncode == 2
    assert "no metric is called 'val/coost'; did you mean 'val/cost'?" in done.stderr
    assert home.begun() == ["trial-0"]


def test_same_command_goes_on_without_repeating(home):
    home.sweep(RANDOM)
    done = home.sweep(RANDOM, "hydra.sweeper.trials=5")
    assert done.returncode == 0, done.stderr
    assert home.begun() == [f"trial-{number}" for number in range(5)]
    assert trials(home)["lr"].n_unique() == 5


def test_other_config_is_refused_key_by_key(home):
    home.sweep("hydra.sweeper.trials=1")
    home.write("loss/bad", "name: worse\n")
    done = home.sweep("width=9", "hydra.sweeper.space={lr: {high: 0.5}}")
    assert done.returncode == 2
    assert "'hydra.sweeper.space.lr.high' was 1.0 when this sweep began, and is 0.5 now" in done.stderr
    assert "'width' was 8 when this sweep began, and is 9 now" in done.stderr
    assert "'loss=bad.loss.name' was 'bad' when this sweep began, and is 'worse' now" in done.stderr
    assert home.begun() == ["trial-0"]


def test_config_that_changes_meanwhile_changes_no_trial(home):
    process = subprocess.Popen(home.command("-m", "sweep=mine", "seconds=1"), cwd=home.path)
    while not (home.path / "begun").exists():
        time.sleep(0.1)
    home.write("train", (home.path / "conf" / "train.yaml").read_text().replace("width: 8", "width: 9"))
    assert process.wait() == 0
    assert {line.split()[2] for line in (home.path / "begun").read_text().splitlines()} == {"8"}


def begin(home, *arguments):
    return subprocess.Popen(home.command("-m", "sweep=mine", *arguments), cwd=home.path, start_new_session=True)


def wait_for(home, run):
    while not (home.path / "begun").exists() or run not in home.begun():
        time.sleep(0.05)


def test_killed_sweep_goes_on_with_what_was_not_finished(home):
    process = begin(home, RANDOM, "seconds=1")
    wait_for(home, "trial-1")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    asked_before = open_study(home.swept, stored_settings(home.swept)).trials[1].params
    assert home.sweep(RANDOM, "seconds=1").returncode == 0
    assert home.begun() == ["trial-0", "trial-1", "trial-1", "trial-2"]
    table = trials(home)
    assert table["state"].to_list() == ["finished"] * 3
    assert table["run"].to_list() == ["trial-0", "trial-1", "trial-2"]
    assert table.row(1, named=True)["lr"] == asked_before["lr"]


def test_trial_that_outlives_its_sweep_is_waited_for(home):
    process = begin(home, RANDOM, "seconds=3")
    wait_for(home, "trial-0")
    os.kill(process.pid, signal.SIGKILL)  # alone: the trial goes on
    process.wait()
    assert home.sweep(RANDOM, "seconds=3", "hydra.sweeper.trials=1").returncode == 0
    assert home.begun() == ["trial-0"]
    assert trials(home)["state"].to_list() == ["finished"]


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=joblib"], ["hydra/launcher=submitit", "hydra.launcher.cluster=local"]])
def test_sweep_that_is_stopped_ends_its_trial_too(home, name, code, launcher):
    process = begin(home, "seconds=60", *launcher)
    wait_for(home, "trial-0")
    os.kill(process.pid, signal.Signals[name])
    assert process.wait(30) == code
    assert not is_alive(home.swept / "trial-0")


def test_second_sweep_in_one_directory_is_refused(home):
    process = begin(home, "seconds=60")
    wait_for(home, "trial-0")
    done = home.sweep("seconds=60")
    process.terminate()
    assert done.returncode == 2
    assert "another process runs this sweep" in done.stderr
    assert process.wait(30) == 143


@pytest.mark.parametrize("launcher", [["joblib"], ["submitit", "hydra.launcher.cluster=local"]])
def test_launcher_runs_trials_side_by_side(home, launcher):
    done = home.sweep(RANDOM, f"hydra/launcher={launcher[0]}", *launcher[1:], "hydra.launcher.n_jobs=2", "hydra.sweeper.trials=4")
    assert done.returncode == 0, done.stderr
    assert sorted(home.begun()) == [f"trial-{number}" for number in range(4)]
    assert trials(home)["state"].to_list() == ["finished"] * 4


@pytest.mark.parametrize("launcher", [["joblib"], ["submitit", "hydra.launcher.cluster=local"]])
def test_killed_trial_takes_no_other_along(home, launcher):
    space = "hydra.sweeper.space={end: [memory, well], width: [1, 2]}"
    options = ["lr=0.1", "loss=good", space, "hydra.sweeper.sampler=grid", "hydra.sweeper.trials=null", f"hydra/launcher={launcher[0]}"]
    done = home.sweep(*options, *launcher[1:], "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stderr
    assert sorted(trials(home)["state"].to_list()) == ["failed", "failed", "finished", "finished"]


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=joblib"], ["hydra/launcher=submitit", "hydra.launcher.cluster=local"]])
def test_lists_on_the_command_line_run_every_combination(home, launcher):
    done = home.run("-m", "loss=good,bad", "width=1,2", *launcher)
    assert done.returncode == 0, done.stderr
    costs = [json.loads((home.path / "out" / str(number) / "metrics.json").read_text())["val/cost"] for number in range(4)]
    assert costs == [1, 2, 1, 2]


def test_run_that_fails_is_named_by_its_launcher(home):
    done = home.run("-m", "end=well,bug", "hydra/launcher=joblib")
    assert done.returncode == 1
    assert "ended with exit code 1" in done.stderr
    assert (home.path / "out" / "0" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep=mine"], "a sweep is many runs"),
        (["-m", "sweep=mine", "width=1,2"], "'width=1,2' lists values beside a sweep"),
        (["-m", "sweep=mine", "hydra.sweeper.trails=2"], "nothing is called 'trails' in the config; did you mean 'trials'?"),
        (["-m", "sweep=mine", "hydra.sweeper.space={widht: [1, 2]}"], "nothing is called 'widht' in the config; did you mean 'width'?"),
        (["-m", "sweep=mine", "hydra.sweeper.space={width: [1, a]}"], "'width' takes a whole number, got the text 'a'"),
        (["-m", "sweep=mine", "hydra.sweeper.space={width: {low: 1, high: 2.5}}"], "'width' takes a whole number, got 2.5"),
        (["-m", "sweep=mine", "hydra.sweeper.space={loss: [good, badd]}"], "there is no loss 'badd'; did you mean 'bad'?"),
        (
            ["-m", "sweep=mine", "hydra/launcher=joblib", "hydra.launcher.n_jobs=x"],
            "at least 1, got the text 'x'",
        ),
        (["-m", "sweep=mine", "hydra.sweeper.sampler.x=1"], "'sampler' takes one of tpe, random, grid"),
    ],
)
def test_sweep_is_refused_before_it_starts(home, arguments, said):
    done = home.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not home.swept.exists()
