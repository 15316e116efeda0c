"""`resume=` on the command line: the run that it names, and that run's config with the other keys of the command line."""

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


def earlier_run(texts: list[str]) -> tuple[Path, dict[str, Any]] | None:
    """Directory and config of the run that overrides name with `resume=DIR`, with the keys that they set; None where they name none.

    Raises:
        ConfigError: there is no such run, or a key cannot be set in its config.
    """
    if not any(text.lstrip("+").startswith(f"{KEY}=") for text in texts):
        return None
    overrides = [_parsed(text) for text in texts]
    name = [override.value() for override in overrides if override.key_or_group == KEY][-1]
    if name in (AUTO, None):
        return None
    run = Path(str(name)).resolve()
    config = saved_config(run / CONFIG)
    refuse_links(run)
    for text, override in zip(texts, overrides):
        _set(config, override, text)
    return run, config


def refuse_links(run: Path) -> None:
    """Refuse a run to go on with that has a link to elsewhere, since it would be written to; an IntegrityError names the first."""
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        if path.is_symlink() and not path.resolve().is_relative_to(run.resolve()):  # its bundle is a link within it
            what = f"it leads to {path.readlink()}, and a run that goes on writes into its files"
            raise IntegrityError(Fault(what, str(path), "remove the link, or put the file in its place"))


def _parsed(text: str) -> Override:
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
