"""From override texts to a checked config, by Hydra's own parser and composer, whose state is afterwards as before."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import OmegaConf

from recsys.config import CONFIG
from recsys.config.check import EVERYTHING, check_config
from recsys.config.command import Command, plain_config
from recsys.config.earlier_run import earlier_run
from recsys.config.files import file_faults
from recsys.config.overrides import OverrideValue, parsed_overrides, sweep_values, variants
from recsys.config.refusals import searchpath_fault
from recsys.errors import ConfigError, Fault

SweepFaults = Callable[[Command, list[OverrideValue], bool], Iterable[Fault]]
"""Faults of a sweep: of a command, its overrides without faults of their own, and whether it is of many runs."""


@dataclass(frozen=True)
class CheckedCommand:
    """A command line without faults: overrides as Hydra wants them; typed config and hydra.run.dir of the run, or of the first of many."""

    overrides: list[str]
    config: Any
    run: Path


def checked_command(
    conf: Sequence[Path], name: str, texts: list[str], root: type, *, multirun: bool, sweeps: SweepFaults | None = None
) -> CheckedCommand:
    """Hold a command line against conf and the code.

    Args:
        conf: folders of the yaml files, see `recsys.config.files`; `name` is the root one, without its ending.
        texts: overrides as typed.
        multirun: sweeps (`sweep=retrieval`, or lists such as `loss=bpr,softmax`) are allowed; each of their values is checked, with the
            first of every other one.
        sweeps: faults of a sweep that the command line chooses; None: the program has no sweeps.
    Raises:
        ConfigError: with every fault of files, choices, keys and values.
    """
    if refused := list(file_faults(conf)):
        raise ConfigError(*refused)
    with config_loader(conf, name) as loader:
        command = Command(conf, name, root, loader)
        overrides, faults = parsed_overrides(texts, loader, multirun=multirun)
        searches = [override for override in overrides if override.key_or_group.startswith("hydra.searchpath")]
        if searches:
            raise ConfigError(*(searchpath_fault(f"command line, {override.input_line}") for override in searches))
        runs = list(variants(map(sweep_values, overrides)))
        for run in runs:
            faults += command.faults(run)
        if not faults and sweeps is not None:
            faults += sweeps(command, runs[0], multirun)
        if faults:
            raise ConfigError(*dict.fromkeys(faults))
        assert command.first is not None  # a run without a fault was composed
        folder, config = command.first
        return CheckedCommand([command.as_known(override, str(override.input_line)) for override in overrides], config, folder)


def composed_run(
    conf: Sequence[Path], name: str, texts: list[str], root: type, *, resumes: bool, sweeps: SweepFaults | None = None
) -> tuple[Any, Path]:
    """The typed config of one run, and its directory; with `resumes`, those of a run that `resume=DIR` names."""
    if resumes and (earlier := earlier_run(texts)) is not None:
        run, config = earlier
        return check_config(config, root, origin={EVERYTHING: str(run / CONFIG)}), run
    command = checked_command(conf, name, texts, root, multirun=False, sweeps=sweeps)
    return command.config, command.run


@contextmanager
def config_loader(conf: Sequence[Path], name: str) -> Iterator[ConfigLoader]:
    """Hydra's loader of a program's configs; afterwards Hydra knows what it knew before."""
    base, state = VersionBase.instance(), HydraConfig.instance()
    before = base.version_base, state.cfg
    try:
        with searching(conf), initialize_config_dir(str(conf[-1]), version_base="1.3", job_name=name):
            yield GlobalHydra.instance().config_loader()
    finally:
        base.version_base, state.cfg = before


@contextmanager
def searching(conf: Sequence[Path]) -> Iterator[None]:
    """Let Hydra look into these folders in their order while the block runs; the last is the one that it is started with."""
    Plugins.instance().register(FirstFolders)
    before, FirstFolders.folders = FirstFolders.folders, tuple(conf[:-1])
    try:
        yield
    finally:
        FirstFolders.folders = before


class FirstFolders(SearchPathPlugin):
    """Puts folders before the one that Hydra is started with; only a plugin may."""

    folders: ClassVar[tuple[Path, ...]] = ()

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in self.folders:
            search_path.prepend("recsys", f"file://{folder}", "main")


def composed_config(loader: ConfigLoader, name: str, texts: list[str]) -> dict[str, Any]:
    """The resolved config that checked overrides stand for, without Hydra's own node."""
    plain = plain_config(loader.load_configuration(name, texts, RunMode.RUN))
    plain.pop("hydra")
    return plain_config(OmegaConf.create(plain), resolve=True)
