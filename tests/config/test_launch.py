"""Whole command lines in processes of their own: what is printed, and the exit code."""

import subprocess
import sys

import pytest

from recsys.config.launch import _spelled_out

PROGRAM = """
from dataclasses import dataclass
from pathlib import Path
from recsys.config.launch import launch
from recsys.errors import DataError, Fault
from recsys.run.process import log_file


@dataclass(frozen=True)
class Root:
    seed: int = 0


def train(config, run):
    with log_file(run / "train.log"):
        if config.seed == 13:
            raise DataError(Fault("13 is no good", "seed", "use 12"))
        if config.seed == 14:
            raise RuntimeError("a bug")
    (run / "seed").write_text(str(config.seed))
    print(f"run: {run}")


launch(train, Root, name="train", about="Train nothing.", examples=("python train.py seed=1",))
"""
CONF = """
defaults:
  - _self_
  - override hydra/job_logging: none
seed: 0
hydra:
  run: {dir: out}
  sweep: {dir: out, subdir: "${hydra.job.num}"}
  output_subdir: null
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text(CONF)

    def run(*arguments):
        return subprocess.run([sys.executable, "train.py", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def test_run_gets_a_typed_config_and_its_directory(run, tmp_path):
    done = run("seed=3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"run: {tmp_path / 'out'}"
    assert (tmp_path / "out" / "seed").read_text() == "3"


def test_mistyped_key_ends_with_2_and_one_message(run, tmp_path):
    done = run("sede=3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Config error: 1 problem:\n  1. nothing is called 'sede' in the config; did you mean 'seed'?")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_unknown_flag_ends_with_2(run):
    done = run("--sede")
    assert done.returncode == 2
    assert "unrecognized arguments: --sede" in done.stderr


def test_error_of_the_program_ends_with_its_code_without_a_trace(run, tmp_path):
    done = run("seed=13")
    assert done.returncode == 3
    assert done.stderr == "Data error: 1 problem:\n  1. 13 is no good\n    where: seed\n    fix: use 12\n"
    assert "DataError" in (tmp_path / "out" / "train.log").read_text()


def test_bug_keeps_its_trace(run, tmp_path):
    done = run("seed=14")
    assert done.returncode == 1
    assert "a bug" in done.stderr
    assert "RuntimeError: a bug" in (tmp_path / "out" / "train.log").read_text()


def test_multirun_runs_every_value(run, tmp_path):
    done = run("seed=3,4", "-m")
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / "out" / trial / "seed").read_text() for trial in "01"] == ["3", "4"]


def test_cfg_prints_the_config_and_runs_nothing(run, tmp_path):
    done = run("seed=3", "--cfg", "job")
    assert (done.returncode, done.stdout) == (0, "seed: 3\n")
    assert not (tmp_path / "out").exists()


def test_config_path_is_read_instead_of_conf(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train.yaml").write_text(CONF.replace("seed: 0", "seed: 7"))
    done = run("--config-path", "other")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "seed").read_text() == "7"


def test_help_runs_nothing(run, tmp_path):
    done = run("--help", "sede=3")
    assert done.returncode == 0
    assert done.stdout.startswith("Train nothing.")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "spelled"),
    [
        (["run=x", "--dry-run"], ["run=x", "dry_run=true"]),
        (["--sign", "keys/release", "run=x"], ["sign=keys/release", "run=x"]),
        (["--sign=keys/release"], ["sign=keys/release"]),
        (["run=x", "--sign"], ["run=x", "sign="]),
        (["--signed", "x", "gate.min={a: 1}"], ["--signed", "x", "gate.min={a: 1}"]),
    ],
)
def test_flags_are_other_spellings_of_overrides(arguments, spelled):
    assert _spelled_out(arguments, {"--dry-run": "dry_run=true", "--sign": "sign="}) == spelled


def test_many_runs_are_refused_where_nothing_can_be_written(run):
    done = run("-m", "seed=1,2", "hydra.sweep.dir=train.py/runs")
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "train.py" in done.stderr
