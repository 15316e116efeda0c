"""Faults of a sweep before its first trial: of its own keys, and of a run for every value and every end of a range."""

from collections.abc import Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher

from recsys.config.check import Check
from recsys.config.command import Command, plain_config
from recsys.config.overrides import OverrideValue, as_override, variants
from recsys.errors import Fault
from recsys.sweep.sweep_config import dimensions, extremes, sweep_faults, varied_space

OURS = "hydra_plugins.recsys."
SWEEPER = f"{OURS}OptunaSweeper"
SWEEPERS, LAUNCHERS = "hydra.sweeper", "hydra.launcher"


def trial_faults(command: Command, values: list[OverrideValue], multirun: bool) -> Iterator[Fault]:
    """Faults of the sweep that a command line chooses, of its launcher, and of each trial that differs in one value from the first."""
    hydra = plain_config(command.loaded(values))["hydra"]
    name = hydra["launcher"].pop("_target_")
    plugin = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in Plugins.instance().discover(Launcher)}[name]
    node = hydra["sweeper"]
    sweeps = node.pop("_target_") == SWEEPER
    if not (sweeps or name.startswith(OURS)):
        return
    places = {f"{key}.": place for key, place in command.origin(values).items()}
    if name.startswith(OURS):
        yield from _launcher_faults(hydra["launcher"], plugin, _origin(places, LAUNCHERS))
    if not sweeps:
        return
    if not multirun:
        yield Fault("a sweep is many runs", "command line", "add -m")
        return
    lists = [entry.override for entry in values if entry.override.is_sweep_override()]
    for override in lists:
        remedy = f"write it into the sweep: 'hydra.sweeper.space={{{override.key_or_group}: [...]}}'"
        yield Fault(f"'{override.input_line}' lists values beside a sweep", f"command line, {override.input_line}", remedy)
    origin = _origin(places, SWEEPERS)
    if isinstance(node.get("space"), dict):
        node["space"] = varied_space(node["space"], [entry.text for entry in values])
    faults = list(sweep_faults(node, origin))
    yield from faults
    if not faults and not lists:
        yield from _value_faults(command, values, node["space"], origin)


def _launcher_faults(node: dict, plugin: type, origin: dict[str, str]) -> Iterator[Fault]:
    check = Check(origin)
    faults = list(check.arguments(node, plugin, set(), ""))
    yield from faults
    if not faults and node["n_jobs"] < 1:
        yield Fault(f"{node['n_jobs']} runs at a time", check.where("n_jobs"), "at least 1")


def _origin(places: dict[str, str], node: str) -> dict[str, str]:
    """{key of the node: who set it}."""
    return {"": node} | {key.removeprefix(f"{node}.").rstrip("."): place for key, place in places.items() if key.startswith(f"{node}.")}


def _value_faults(command: Command, values: list[OverrideValue], space: dict, origin: dict[str, str]) -> Iterator[Fault]:
    parser = OverridesParser.create(config_loader=command.loader)
    varied: list[list[OverrideValue]] = []
    for key, dimension in dimensions(space).items():
        place = origin.get(f"space.{key}", origin.get("space", origin[""]))
        texts = [as_override(key, value) for value in extremes(dimension)]
        try:
            varied.append([OverrideValue(parser.parse_override(text), text, place) for text in texts])
        except HydraException:
            yield Fault(f"'{key}' is no key that can be set", place, "write it as on the command line: model.dim, or tower@model.user")
            return
    yielded: set[str] = set()
    for trial in variants(varied):
        faults = command.faults([*values, *trial])
        yield from (fault for fault in faults if fault.what not in yielded)
        yielded.update(fault.what for fault in faults)
