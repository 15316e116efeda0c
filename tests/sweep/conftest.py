"""A program that learns nothing in no time, with the sweeper of this repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
PROGRAM = """
import json, math, os, signal, sys, time
from pathlib import Path
import yaml


def trial(arguments):
    given = dict(text.lstrip("+").split("=", 1) for text in arguments)
    conf = Path(given.pop("--config-path", "conf"))
    run = Path(given["hydra.run.dir"].strip("'"))
    config = yaml.safe_load((conf / "train.yaml").read_text()) | {"loss": "good"} | given
    lr, width, loss, end = float(config["lr"]), int(config["width"]), config["loss"], config["end"]
    with (Path.cwd() / "begun").open("a") as file:
        file.write(f"{run.name} {lr} {width} {loss}\\n")
    time.sleep(float(config["seconds"]))
    if end == "data":
        print("Data error: 1 problem:\\n  1. row 3 is bad\\n    where: x.csv\\n    fix: mend it", file=sys.stderr)
        sys.exit(3)
    if end == "bug":
        raise RuntimeError("a bug")
    if end == "preempted" and not (run / "once").exists():
        (run / "once").touch()
        os.kill(os.getpid(), signal.SIGTERM)
    if end == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    score = -((math.log10(lr) + 2) ** 2) - (loss == "bad")
    metrics = {"val/score": math.nan if end == "hollow" else score, "val/cost": width, "test/score": 1.0}
    (run / "metrics.json").write_text(json.dumps(metrics))


if any(text.startswith("hydra.run.dir=") for text in sys.argv):
    sys.exit(trial(sys.argv[1:]))  # in milliseconds: nothing of ours is imported

from dataclasses import dataclass
from recsys.config.launch import launch
from recsys.sweep.sweeper import register, trial_faults


@dataclass(frozen=True)
class Root:
    loss: dict
    logger: dict
    lr: float = 0.1
    width: int = 8
    seconds: float = 0.0
    end: str = "well"


def train(config, run):
    given = [f"{key}={vars(config)[key]}" for key in ("lr", "width", "seconds", "end")]
    trial([f"hydra.run.dir={run}", f"loss={config.loss['name']}", *given])


register()
launch(train, Root, name="train", about="Learn nothing.", examples=(), sweeps=trial_faults)
"""
CONF = {
    "train": """
defaults:
  - _self_
  - loss: good
  - sweep: null
  - override hydra/job_logging: none
logger: {}
lr: 0.1
width: 8
seconds: 0.0
end: well
hydra:
  run: {dir: out}
  sweep: {dir: out, subdir: "${hydra.job.num}"}
  output_subdir: null
""",
    "loss/good": "name: good\n",
    "loss/bad": "name: bad\n",
    "sweep/mine": """# @package _global_
defaults:
  - override /hydra/sweeper: optuna
hydra:
  sweep: {dir: swept}
  sweeper:
    objectives: {val/score: max}
    sampler: tpe
    trials: 3
    space:
      lr: {low: 1e-4, high: 1.0, log: true}
      loss: [good, bad]
""",
}


class Home:
    """A folder with the program and its conf."""

    def __init__(self, path: Path):
        self.path = path
        self.swept = path / "swept"

    def write(self, name: str, text: str) -> None:
        file = self.path / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "train.py", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*arguments), cwd=self.path, capture_output=True, text=True, timeout=300)

    def sweep(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.run("-m", "sweep=mine", *arguments)

    def begun(self) -> list[str]:
        """Names of the directories in which the program began, in their order."""
        return [line.split()[0] for line in (self.path / "begun").read_text().splitlines()]


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "train.py").write_text(f"import sys\nsys.path.insert(0, {str(HOME)!r})\n{PROGRAM}")
    for name, text in CONF.items():
        home.write(name, text)
    shutil.copytree(HOME / "conf" / "hydra", tmp_path / "conf" / "hydra")
    return home
