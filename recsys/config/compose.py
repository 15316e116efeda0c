"""From override texts to a checked config, by Hydra's own parser and composer, whose state is afterwards as before."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import OmegaConf

from recsys.config import CONFIG, flattened
from recsys.config.check import EVERYTHING, check_config
from recsys.config.command import Command, plain_config
from recsys.config.files import file_faults, saved_config
from recsys.config.overrides import OverrideValue, parsed_overrides, sweep_values, variants
from recsys.config.refusals import searchpath_fault
from recsys.disk.scrub import HIDDEN
from recsys.errors import ConfigError, Fault, IntegrityError

AUTO, KEY = "auto", "resume"
"""`resume=auto` goes on with the interrupted run of the same config."""
SweepFaults = Callable[[Command, list[OverrideValue], bool], Iterable[Fault]]
"""Faults of a sweep: of a command, its overrides without faults of their own, and whether it is of many runs."""


@dataclass(frozen=True)
class CheckedCommand:
    """A command line without faults: overrides as Hydra wants them; typed config of the run, or of the first of many.

    `run` and `sweep` are hydra.run.dir and hydra.sweep.dir.
    """

    overrides: list[str]
    config: Any
    run: Path
    sweep: Path


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
        folder, sweep, config = command.first
        return CheckedCommand([command.as_known(override, str(override.input_line)) for override in overrides], config, folder, sweep)


def composed_run(
    conf: Sequence[Path], name: str, texts: list[str], root: type, *, resumes: bool, sweeps: SweepFaults | None = None
) -> tuple[Any, Path]:
    """The typed config of one run, and its directory; with `resumes`, those of a run that `resume=DIR` names."""
    if resumes and (earlier := earlier_run(texts)) is not None:
        run, config = earlier
        require_visible(config, run)
        return check_config(config, root, origin={EVERYTHING: str(run / CONFIG)}), run
    command = checked_command(conf, name, texts, root, multirun=False, sweeps=sweeps)
    return command.config, command.run


def earlier_run(texts: list[str]) -> tuple[Path, dict[str, Any]] | None:
    """Directory and config of the run that overrides name with `resume=DIR`, with the keys that they set; None where they name none.

    Raises:
        ConfigError: there is no such run, or a key cannot be set in its config.
    """
    if not any(text.lstrip("+").startswith(f"{KEY}=") for text in texts):
        return None
    overrides = [_override(text) for text in texts]
    name = [override.value() for override in overrides if override.key_or_group == KEY][-1]
    if name in (AUTO, None):
        return None
    run = Path(str(name)).resolve()
    config = saved_config(run / CONFIG)
    refuse_links(run)
    for text, override in zip(texts, overrides):
        _set(config, override, text)
    return run, config


def require_visible(config: Mapping[str, Any], run: Path) -> None:
    """A ConfigError names every key of a saved config whose value was hidden, as it held a password or a key."""
    remedy = "give it again on the command line"
    hidden = {key: value for key, value in flattened(dict(config)) if isinstance(value, str) and HIDDEN in value}
    faults = [Fault(f"{key} held a password, and {CONFIG} says {value}", str(run), f"{remedy}: {key}=...") for key, value in hidden.items()]
    if faults:
        raise ConfigError(*faults)


def refuse_links(run: Path) -> None:
    """Refuse a run to go on with that has a link to elsewhere, since it would be written to; an IntegrityError names the first."""
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        if path.is_symlink() and not path.resolve().is_relative_to(run.resolve()):  # its bundle is a link within it
            what = f"it leads to {path.readlink()}, and a run that goes on writes into its files"
            raise IntegrityError(Fault(what, str(path), "remove the link, or put the file in its place"))


def _override(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as error:
        raise ConfigError(Fault(f"cannot read '{text:.200}'", "command line", "write key=value")) from error


def _set(config: dict[str, Any], override: Override, text: str) -> None:
    """Set one key of the saved config."""
    where, key = f"command line, {text}", override.key_or_group
    if key.startswith("hydra"):
        raise ConfigError(Fault("a run goes on in its own directory, and keeps its own logs", where, f"remove {key}"))
    if override.is_delete() or override.is_sweep_override():
        raise ConfigError(Fault("a run that goes on takes single values", where, "write key=value"))
    *parents, last = key.split(".")
    node: Any = config
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    chosen = override.package is not None or "/" in key
    if chosen or not isinstance(node, dict) or (isinstance(node.get(last), dict) and not isinstance(override.value(), dict)):
        what = "a run that goes on has its own config, from which no other parts are chosen"
        raise ConfigError(Fault(what, where, f"remove it; the run's parts are in {CONFIG}, and single keys may be given"))
    node[last] = override.value()


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
