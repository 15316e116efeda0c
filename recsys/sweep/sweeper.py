"""Hydra's side of a sweep: from a checked command line to trials, each a command line of its own."""

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

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from recsys.config import flattened
from recsys.config.command import plain_config
from recsys.config.compose import composed_config
from recsys.config.files import config_file, is_group, read_document
from recsys.config.launch import plain_errors
from recsys.config.overrides import as_override
from recsys.disk.locks import try_lock
from recsys.errors import ConfigError, Fault
from recsys.sweep.launcher import ProcessLauncher, SubmititLauncher
from recsys.sweep.plan import Plan, stored_plan
from recsys.sweep.sweep_config import SweepConfig, varied_space

PACKAGE, NAME = "hydra_plugins", "recsys"


@cache
def register() -> None:
    """Let conf/hydra name the sweeper and the launchers as `hydra_plugins.recsys.<class>`: Hydra builds only what has such a name."""
    plugins = Plugins.instance()  # which looks for installed ones first
    package = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
    module = ModuleType(f"{PACKAGE}.{NAME}")
    sys.modules[module.__name__] = module
    setattr(package, NAME, module)
    for plugin in (OptunaSweeper, ProcessLauncher, SubmititLauncher):
        named = type(plugin.__name__, (plugin,), {"__module__": module.__name__, "__doc__": plugin.__doc__})
        setattr(module, plugin.__name__, named)
        plugins.register(named)


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
        groups = {key: entry for key, entry in space.items() if isinstance(entry, list) and is_group(conf, key.partition("@")[0])}
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
    folder.mkdir(parents=True, exist_ok=True)
    own = try_lock(folder / ".lock")
    if own is None:
        remedy = "wait for it, or choose another directory with hydra.sweep.dir=DIR"
        raise ConfigError(Fault("another process runs this sweep", str(folder), remedy))
    with own:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Python's own again, whatever was imported
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        yield
