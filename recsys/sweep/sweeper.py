"""Hydra's side of a sweep: faults of its command line, and the plan of its trials, each a command line of its own."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from recsys.config import flattened
from recsys.config.check import Check
from recsys.config.command import Command, plain_config
from recsys.config.compose import composed_config
from recsys.config.files import config_file, read_document
from recsys.config.launch import plain_errors
from recsys.config.overrides import OverrideValue, as_override, variants
from recsys.config.refusals import plugins
from recsys.disk import writing
from recsys.disk.locks import try_lock
from recsys.errors import ConfigError, Fault
from recsys.sweep.launcher import ProcessLauncher, SubmititLauncher
from recsys.sweep.plan import Plan, stored_plan
from recsys.sweep.sweep_config import SweepConfig, dimensions, extremes, sweep_faults, varied_space

PACKAGE, NAME = "hydra_plugins", "recsys"


@cache
def register() -> None:
    """Let conf/hydra name the sweeper and the launchers as `hydra_plugins.recsys.<class>`: Hydra builds only what has such a name."""
    registry = Plugins.instance()  # which looks for installed ones first
    package = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
    module = ModuleType(f"{PACKAGE}.{NAME}")
    sys.modules[module.__name__] = module
    setattr(package, NAME, module)
    for plugin in (OptunaSweeper, ProcessLauncher, SubmititLauncher):
        renamed = type(plugin.__name__, (plugin,), {"__module__": module.__name__, "__doc__": plugin.__doc__})
        setattr(module, plugin.__name__, renamed)
        registry.register(renamed)


class OptunaSweeper(Sweeper):
    """Lets Optuna choose the trials; see `recsys.sweep.sweep_config.SweepConfig` for the arguments."""

    config: DictConfig
    launcher: ProcessLauncher

    def __init__(
        self,
        objectives: DictConfig,
        space: DictConfig,
        sampler: Literal["tpe", "random", "grid"],
        trials: int | None,
        pruner: Literal["median", "halving", "hyperband"] | None = None,
        seed: int = 0,
    ):
        self.settings = SweepConfig(plain_config(objectives), plain_config(space), sampler, trials, pruner, seed)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config
        launcher = Plugins.instance().instantiate_launcher(hydra_context=hydra_context, task_function=task_function, config=config)
        self.launcher = launcher if isinstance(launcher, ProcessLauncher) else ProcessLauncher(1)  # runs of Hydra's own share a process

    def sweep(self, arguments: list[str]) -> None:
        """Runs the trials that are missing in the sweep's directory."""
        with plain_errors():
            if find_spec("optuna") is None:
                raise ConfigError(Fault("a sweep needs Optuna, which is not installed", "hydra/sweeper", "pip install optuna"))
            from recsys.sweep.loop import Sweep

            folder = Path(self.config.hydra.sweep.dir).absolute()
            conf = [Path(source.path) for source in self.config.hydra.runtime.config_sources if source.schema == "file"]
            with lone_sweep(folder):
                plan = stored_plan(folder, self.plan(arguments, conf), conf)
                try:
                    Sweep(folder, plan, self.launcher, cwd=self.config.hydra.runtime.cwd).run()
                except KeyboardInterrupt:
                    print(f"stopped; the same command goes on with {folder}", file=sys.stderr)
                    sys.exit(128 + signal.SIGINT)

    def plan(self, arguments: list[str], conf: Sequence[Path]) -> Plan:
        """The plan of a command line, whose `sweep=` is left out: trials are ordinary runs."""
        overrides = [text for text in arguments if text.partition("=")[0] != "sweep"]
        name = self.config.hydra.runtime.choices.get("sweep")
        path = config_file(conf, f"sweep/{name}")
        fixed = [*_file_overrides(path, overrides), *overrides] if path else overrides
        space = varied_space(self.settings.space, overrides)
        names = {path.relative_to(folder).as_posix() for folder in conf for path in folder.rglob("*") if path.is_dir()}
        groups = {key: entry for key, entry in space.items() if isinstance(entry, list) and key.partition("@")[0] in names}
        first = {key: as_override(key, entry[0]) for key, entry in groups.items()}
        root = self.config.hydra.job.config_name
        choices = {
            text: composed_config(self.loader, root, [*fixed, *{**first, key: text}.values()])
            for key, entry in groups.items()
            for text in (as_override(key, value) for value in entry)
        }
        config = composed_config(self.loader, root, fixed)
        return Plan(name or "sweep", tuple(fixed), replace(self.settings, space=space), config, choices)


def _file_overrides(path: Path, overrides: list[str]) -> list[str]:
    """Choices and values of a file of conf/sweep beside the sweep itself, but for choices that the command line makes."""
    document = read_document(path)
    keys = {text.partition("=")[0] for text in overrides}
    pairs = [pair for entry in document.get("defaults", ()) if isinstance(entry, dict) for pair in entry.items()]
    groups = [(key.removeprefix("override /"), choice) for key, choice in pairs if key.startswith("override /")]
    values = flattened({key: value for key, value in document.items() if key not in ("defaults", "hydra")}, lists=False)
    return [
        *(f"{group}={choice}" for group, choice in groups if group not in keys and not group.startswith("hydra/")),
        *(f"++{as_override(key, value)}" for key, value in values if key),
    ]


@contextmanager
def lone_sweep(folder: Path) -> Iterator[None]:
    """Hold the sweep's directory as its only process; SIGTERM ends the block like Ctrl-C, so that trials can be ended too."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        own = try_lock(folder / ".lock")
    if own is None:
        remedy = "wait for it, or choose another directory with hydra.sweep.dir=DIR"
        raise ConfigError(Fault("another process runs this sweep", str(folder), remedy))
    with own:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Python's own again, whatever was imported
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        yield


def trial_faults(command: Command, values: list[OverrideValue], multirun: bool) -> Iterator[Fault]:
    """Faults of the sweep that a command line chooses, of its launcher, and of each trial that differs in one value from the first."""
    hydra = plain_config(command.loaded(values))["hydra"]
    name = hydra["launcher"].pop("_target_")
    plugin, node = plugins(Launcher)[name], hydra["sweeper"]
    ours, sweeps = name.startswith(f"{PACKAGE}.{NAME}."), node.pop("_target_") == f"{PACKAGE}.{NAME}.{OptunaSweeper.__name__}"
    if not (sweeps or ours):
        return
    places = {f"{key}.": place for key, place in command.origin(values).items()}
    if ours:
        check, launcher = Check(_origin(places, "hydra.launcher")), hydra["launcher"]
        faults = list(check.arguments(launcher, plugin, set(), ""))
        yield from faults
    if not sweeps:
        return
    if not multirun:
        yield Fault("a sweep is many runs", "command line", "add -m; from Python, compose each of them")
        return
    lists = [entry.override for entry in values if entry.override.is_sweep_override()]
    for override in lists:
        remedy = f"write it into the sweep: 'hydra.sweeper.space={{{override.key_or_group}: [...]}}'"
        yield Fault(f"'{override.input_line}' lists values beside a sweep", f"command line, {override.input_line}", remedy)
    origin = _origin(places, "hydra.sweeper")
    if isinstance(node.get("space"), dict):
        node["space"] = varied_space(node["space"], [entry.text for entry in values])
    faults = list(sweep_faults(node, origin))
    yield from faults
    if not faults and not lists:
        yield from _value_faults(command, values, node["space"], origin)


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
