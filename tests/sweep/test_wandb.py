"""W&B's own sweeps: what its agent calls is a command line of train.py."""

import itertools
from pathlib import Path

import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from recsys.config import TrainConfig
from recsys.config.compose import checked_command

HOME = Path(__file__).parents[2]
SWEEP = yaml.safe_load((HOME / "recsys" / "sweep" / "wandb.yaml").read_text())


def extremes(parameter):
    return parameter.get("values") or [parameter["min"], parameter["max"]]


def test_every_value_is_a_valid_override():
    names = list(SWEEP["parameters"])
    for values in itertools.zip_longest(*map(extremes, SWEEP["parameters"].values())):
        chosen = {name: value if value is not None else extremes(SWEEP["parameters"][name])[0] for name, value in zip(names, values)}
        flags = create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})
        checked_command((HOME / "conf",), "train", ["logger=wandb", *flags["args_no_hyphens"]], TrainConfig, multirun=False)


def test_agent_calls_train_py_with_overrides_alone():
    command = create_sweep_command(SWEEP["command"])
    assert command[-3:] == ["${program}", "logger=wandb", "${args_no_hyphens}"]
    assert (HOME / SWEEP["program"]).exists()
    assert all(isinstance(value, int | float | str) for parameter in SWEEP["parameters"].values() for value in extremes(parameter))
    assert all(type(parameter.get("min", 0.0)) is float for parameter in SWEEP["parameters"].values())  # 1e-4 would be a text
