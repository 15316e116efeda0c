"""The config of a sweep as it was when the sweep began: trials read it from there, and a command that says something else is refused."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from recsys.config import flattened
from recsys.config.files import read_document
from recsys.disk import write_whole, writing
from recsys.disk.scrub import HIDDEN, argument_without_secrets, without_secrets
from recsys.errors import ConfigError, Fault
from recsys.sweep.sweep_config import SweepConfig

FILE, CONF = "sweep.yaml", "conf"
MAY_CHANGE = ("trials",)
"""A sweep that goes on may be given more trials, or fewer."""


@dataclass(frozen=True)
class Plan:
    """What all trials of a sweep share.

    Attributes:
        fixed: overrides of every trial.
        sweep: what varies, and what for.
        config: resolved config that `fixed` stands for.
        choices: {a choice of the space, such as "loss=bpr": the config with it}.
    """

    name: str
    fixed: tuple[str, ...]
    sweep: SweepConfig
    config: dict[str, Any]
    choices: dict[str, dict[str, Any]]


def stored_plan(folder: Path, plan: Plan, conf: Sequence[Path]) -> Plan:
    """The plan in a sweep's directory, with the trials of this one, or this one, stored now; a ConfigError names each key that differs."""
    path = folder / FILE
    _require_no_secrets(plan)
    if not path.exists():
        with writing(folder / CONF):
            _copy(conf, folder / CONF)
        write_whole(path, yaml.safe_dump(_document(plan), sort_keys=False, allow_unicode=True))  # last: with it the copy is whole
    document = read_document(path)
    if faults := list(_changes(document, _document(plan), folder)):
        raise ConfigError(*faults)
    settings = document["sweep"] | {key: asdict(plan.sweep)[key] for key in MAY_CHANGE}
    return Plan(document["name"], tuple(document["fixed"]), SweepConfig(**settings), document["config"], plan.choices)


def _require_no_secrets(plan: Plan) -> None:
    """A ConfigError where the command of a sweep holds a password: the sweep keeps it, for trials to read."""
    hidden = [text for text in map(argument_without_secrets, plan.fixed) if HIDDEN in text]
    hidden += [f"{key}={value}" for key, value in flattened(without_secrets(plan.config)) if isinstance(value, str) and HIDDEN in value]
    if hidden:
        what, remedy = f"it holds a password, which the sweep would keep in {FILE}", "let the storage's own file of credentials hold it"
        raise ConfigError(*(Fault(what, text, remedy) for text in dict.fromkeys(hidden)))


def stored_settings(folder: Path) -> SweepConfig:
    """The settings of the sweep in a directory."""
    return SweepConfig(**read_document(folder / FILE)["sweep"])


def _copy(conf: Sequence[Path], target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)  # of a sweep that was killed before it began
    for folder in reversed(conf):  # a file of the first folder counts
        for path in folder.rglob("*.yaml"):
            copied = target / path.relative_to(folder)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)


def _document(plan: Plan) -> dict[str, Any]:
    """The plan as yaml, a choice by what it changes."""
    base = dict(flattened(plan.config, lists=False))
    choices = {
        name: {key: value for key, value in flattened(config, lists=False) if key not in base or base[key] != value}
        for name, config in plan.choices.items()
    }
    return {"name": plan.name, "fixed": list(plan.fixed), "sweep": asdict(plan.sweep), "config": plan.config, "choices": choices}


def _changes(old: Mapping, new: Mapping, folder: Path) -> Iterator[Fault]:
    remedy = "undo the change, or start a new sweep with hydra.sweep.dir=DIR"
    for part, prefix in (("sweep", "hydra.sweeper."), ("config", ""), ("choices", "")):
        before, after = (dict(flattened(each[part], lists=False)) for each in (old, new))
        for key in {**before, **after}:
            values = [repr(each[key]) if key in each else "nothing" for each in (before, after)]
            if values[0] != values[1] and not (part == "sweep" and key in MAY_CHANGE):
                yield Fault(f"'{prefix}{key}' was {values[0]:.80} when this sweep began, and is {values[1]:.80} now", str(folder), remedy)
