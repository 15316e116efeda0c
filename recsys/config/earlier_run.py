"""`resume=` on the command line: which run it means, and which config that run has with the keys that are given with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from recsys.config import CONFIG
from recsys.config.files import saved_config
from recsys.errors import ConfigError, Fault, IntegrityError

AUTO = "auto"
KEY = "resume"


@dataclass(frozen=True)
class EarlierRun:
    """A run to go on with, as `resume=<directory>` names it.

    Attributes:
        run: its directory.
        config: its saved config, with the keys that were given on the command line.
    """

    run: Path
    config: dict[str, Any]


def earlier_run(texts: list[str]) -> EarlierRun | None:
    """The run that overrides name with `resume=<directory>`; None where they name none.

    Raises:
        ConfigError: there is no such run, or a key cannot be set in its config.
    """
    if not any(text.lstrip("+").startswith(f"{KEY}=") for text in texts):
        return None
    given = [_parsed(text) for text in texts]
    named = [override.value() for override in given if override.key_or_group == KEY]
    if named[-1] in (AUTO, None):
        return None
    run = Path(str(named[-1])).resolve()
    config = saved_config(run / CONFIG)
    refuse_links(run)
    for text, override in zip(texts, given):
        _set(config, override, text)
    return EarlierRun(run, config)


def refuse_links(run: Path) -> None:
    """What goes on with a run writes into its files; a link would lead that out of it.

    Raises:
        IntegrityError: names the first link.
    """
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        if path.is_symlink() and not path.resolve().is_relative_to(run.resolve()):  # its bundle is a link within it
            what = f"it leads to {path.readlink()}, and a run is gone on with by writing into its files"
            raise IntegrityError(Fault(what, str(path), "remove the link, or put the file in its place"))


def _parsed(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as error:
        raise ConfigError(Fault(f"cannot read '{text:.200}'", "command line", "write key=value")) from error


def _set(config: dict[str, Any], override: Override, text: str) -> None:
    """One key of the saved config."""
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
