import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState

from recsys.errors import IntegrityError
from recsys.sweep.study import JOURNAL, KernelLock, ask, open_study, suggested_overrides, tell, unfinished_trials
from recsys.sweep.sweep_config import SweepConfig

SPACE = {
    "lr": {"low": 1e-4, "high": 1.0, "log": True},
    "depth": {"low": 1, "high": 4},
    "share": {"low": 0.0, "high": 0.3, "step": 0.1},
    "loss": ["bpr", None, [1, 2]],
}


def config(**changes):
    return SweepConfig(**{"objectives": {"val/x": "max"}, "space": SPACE, "sampler": "random", "trials": 5, **changes})


def test_values_are_overrides_within_the_space(tmp_path):
    asked = config()
    study = open_study(tmp_path, asked)
    for _ in range(20):
        given = dict(text.split("=") for text in suggested_overrides(ask(study, asked), asked))
        assert 1e-4 <= float(given["lr"]) <= 1.0
        assert given["depth"] in ("1", "2", "3", "4")
        assert any(float(given["share"]) == pytest.approx(value) for value in (0.0, 0.1, 0.2, 0.3))
        assert given["loss"] in ("bpr", "null", "[1,2]")


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_study_that_is_opened_again_asks_as_if_it_had_stayed_open(tmp_path, sampler):
    asked = config(sampler=sampler)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    study = open_study(tmp_path / "one", asked)
    values = []
    for number in range(14):
        trial = ask(study, asked)
        values.append(trial.params)
        tell(study, trial, [number % 5], TrialState.COMPLETE)
    for number in range(14):
        study = open_study(tmp_path / "two", asked)
        trial = ask(study, asked)
        assert trial.params == values[number]
        tell(study, trial, [number % 5], TrialState.COMPLETE)
    assert len({str(each) for each in values}) == 14


def test_trial_that_was_not_told_comes_back_with_its_values(tmp_path):
    asked = config()
    trial = ask(open_study(tmp_path, asked), asked)
    (found,) = unfinished_trials(open_study(tmp_path, asked), asked)
    assert (found.number, found.params) == (0, trial.params)


def test_trial_that_was_killed_while_it_was_asked_for_gets_what_is_missing(tmp_path):
    asked = config()
    study = open_study(tmp_path, asked)
    begun = study.ask()
    lr = begun.suggest_float("lr", 1e-4, 1.0, log=True)
    (found,) = unfinished_trials(open_study(tmp_path, asked), asked)
    assert found.params["lr"] == lr
    assert set(found.params) == set(SPACE)


def test_grid_goes_through_every_point_once(tmp_path):
    asked = config(sampler="grid", trials=None, space={"a": [1, 2], "b": {"low": 1, "high": 3}})
    study = open_study(tmp_path, asked)
    points = set()
    for _ in range(6):
        trial = ask(study, asked)
        points.add(tuple(suggested_overrides(trial, asked)))
        tell(study, trial, [0.0], TrialState.COMPLETE)
    assert points == {(f"a={a}", f"b={b}") for a in (1, 2) for b in (1, 2, 3)}


def test_sampler_finds_a_planted_region(tmp_path):
    """The best is in the fourth of six decades, which a uniform draw meets once in six."""
    asked = config(sampler="tpe", space={"lr": {"low": 1e-6, "high": 1.0, "log": True}, "other": [1, 2, 3]})
    study = open_study(tmp_path, asked)
    inside = []
    for _ in range(24):
        trial = ask(study, asked)
        inside.append(1e-3 <= trial.params["lr"] <= 1e-2)
        tell(study, trial, [-abs(math.log10(trial.params["lr"]) + 2.5)], TrialState.COMPLETE)
    assert sum(inside[12:]) >= 6  # 2 of 12 by chance


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path):
    asked = config()
    ask(open_study(tmp_path, asked), asked)
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + b'{"op_code": 5, "wor')
    study = open_study(tmp_path, asked)
    assert len(study.trials) == 1
    ask(study, asked)
    assert [trial.number for trial in open_study(tmp_path, asked).trials] == [0, 1]


def test_line_that_breaks_off_while_the_study_is_open_is_cut_off_too(tmp_path):
    asked = config()
    study = open_study(tmp_path, asked)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code"')
    ask(study, asked)
    assert len(open_study(tmp_path, asked).trials) == 1


def test_journal_that_is_none_is_named(tmp_path):
    (tmp_path / JOURNAL).write_text("[1\n{}\n")
    with pytest.raises(IntegrityError, match=r"journal\.log is not what a run writes"):
        open_study(tmp_path, config())


HOLDS = """
import sys, time
from pathlib import Path
from recsys.sweep.study import KernelLock
KernelLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_lock_ends_with_the_process_that_held_it(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "x")], stdout=subprocess.PIPE, text=True, env=environment)
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = KernelLock(tmp_path / "x")
    assert lock.acquire()  # at once, or the test never ends
    lock.release()


WRITES = """
import sys
from pathlib import Path
from recsys.sweep.sweep_config import SweepConfig
from recsys.sweep.study import ask, open_study
asked = SweepConfig(objectives={"val/x": "max"}, space={"lr": {"low": 0.0, "high": 1.0}}, sampler="random", trials=5)
study = open_study(Path(sys.argv[1]), asked)
trial = ask(study, asked)
step = 0
while True:
    trial.report(0.5, step := step + 1)
"""


@pytest.mark.slow
def test_journal_survives_writers_that_are_killed(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    asked = config(space={"lr": {"low": 0.0, "high": 1.0}})
    open_study(tmp_path, asked)
    for turn in range(4):
        writers = [subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path)], env=environment) for _ in range(3)]
        while len(open_study(tmp_path, asked).trials) < 3 * (turn + 1):
            pass
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    study = open_study(tmp_path, asked)
    assert [trial.number for trial in study.trials] == list(range(12))
    for trial in study.trials:
        assert sorted(trial.intermediate_values) == list(range(1, len(trial.intermediate_values) + 1))
