"""A trial as a file of conf/experiment: the choices and values by which it differs from the defaults."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from recsys.sweep.plan import CONF, Plan

PLAIN = re.compile(r"[A-Za-z_/][\w ./@-]*")
WORDS = ("null", "true", "false", "yes", "no", "on", "off")


class _Dumper(yaml.SafeDumper):
    """Quotes texts that some reader of yaml takes for a number, such as 1e-3."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if PLAIN.fullmatch(text) and text.lower() not in WORDS else "'"
    ),
)


def trial_experiment(number: int, values: Mapping[str, float | None], parameters: Mapping[str, object], plan: Plan, folder: Path) -> str:
    """The yaml of a trial, ready for conf/experiment.

    Args:
        values: {objective: value}.
        parameters: {key: value, a choice as the command line takes it}.
        folder: of the sweep.
    """
    scored = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
    header = f"Trial {number} of the sweep '{plan.name}': {scored}."
    overrides = [*plan.fixed, *(f"{key}={value}" for key, value in parameters.items())]
    return experiment_yaml(overrides, conf=folder / CONF, header=header)


def experiment_yaml(overrides: Sequence[str], *, conf: Path, header: str) -> str:
    """The yaml of an experiment that says the same as these overrides; what a file cannot say is added to the header's command.

    Args:
        overrides: checked, one value each.
        conf: folder of the yaml files, which tells choices from keys.
        header: one line of purpose, without its command.
    """
    defaults: list = []
    values: dict = {}
    left = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        group = override.key_or_group
        if override.is_delete() or any(part.isdecimal() for part in group.split(".")):  # of a list's entry
            left.append(str(override.input_line))
        elif not (conf / group).is_dir() or isinstance(override.value(), dict):
            _put(values, group.split("."), _plain(override.value()))
        elif group == "experiment":
            defaults += [override.value()] if override.value() else []
        else:
            added = override.is_add() or override.is_force_add()
            defaults.append({f"{'' if added else 'override '}/{override.get_key_element().lstrip('+')}": _plain(override.value())})
    command = " ".join(["python train.py experiment=best", *left])
    head = f"# @package _global_\n# {header}   {command}\n"
    return head + yaml.dump({"defaults": [*defaults, "_self_"], **values}, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _put(values: dict, path: list[str], value: object) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _plain(value: object) -> object:
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
