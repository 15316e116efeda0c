"""What a composed config may not say, although Hydra would take it.

Open values, resolver calls and references without end; and in Hydra's own node, `hydra:`, whatever is not needed for runs and logs, since
Hydra builds what it names.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from recsys.errors import Fault

MISSING = "???"
REFERENCE = re.compile(r"\$\{\s*([\w.-]+)\s*\}")
LARGEST_CHARACTERS = 1_000_000
"""Of a config with every reference replaced: ten lines that each repeat the one before ten times would fill the memory."""
LONGEST_CHAIN = 20
"""References that lead from one to the next."""
RESOLVERS = re.compile(r"\$\{(now:[%\w\s:.-]*|hydra:[\w.]+)\}")
"""Calls that tell the time or where the run is; every other one is refused."""
PLUGINS = {"hydra.launcher._target_": Launcher, "hydra.sweeper._target_": Sweeper}
LOG_CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "logging.Formatter")
LOG_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
REMEDY = "remove it: a config cannot run arbitrary code"


def text_faults(config: dict[str, Any], origin: Mapping[str, str]) -> Iterator[Fault]:
    """Texts of a plain, unresolved config that may not be resolved."""
    refused = [*resolver_faults(config, origin), *missing_faults(config, origin)]
    yield from refused or expansion_faults(config, origin)


def resolver_faults(config: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    """Interpolations of a plain, unresolved config that are more than the name of another key."""
    for key, text in texts(config):
        if calls(text):
            place = origin.get(key, "config")
            yield Fault(f"'{text:.80}' calls a resolver", f"{place}, key '{key}'", "write the value; only ${another.key} is read here")


def missing_faults(config: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    """Values that a yaml file leaves open with ???."""
    for key, text in texts(config):
        if text == MISSING:
            place = origin.get(key, "config")
            yield Fault(f"'{key}' has to be given", f"{place}, key '{key}'", f"set {key}=<value>")


def calls(text: str) -> bool:
    """Whether an interpolation is more than the name of another key: it calls a function, or is put together from others."""
    return "${" in REFERENCE.sub("", text)


def expansion_faults(config: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    """References of a plain, unresolved config that lead back to themselves, or stand for more text than a config can hold."""
    sizes = _Sizes(config)
    if sizes.of(config) <= LARGEST_CHARACTERS:
        return
    key, text = max(((key, text) for key, text in texts(config) if "${" in text), key=lambda pair: sizes.of(pair[1]))
    stands = "leads back to itself" if math.isinf(sizes.of(text)) else f"stands for {sizes.of(text):,} characters"
    yield Fault(f"'{text:.80}' {stands}", f"{origin.get(key, 'config')}, key '{key}'", "write the value")


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) of every text in a plain config."""
    if isinstance(node, str):
        yield path, node
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from texts(value, f"{path}.{key}" if path else str(key))


class _Sizes:
    """Characters of a value with every reference replaced; infinite where there is no end."""

    def __init__(self, config: dict):
        self.config = config
        self.known: dict[str, float] = {}

    def of(self, node: Any, steps: int = 0) -> float:
        if isinstance(node, dict):
            return sum(len(str(key)) + self.of(value, steps) for key, value in node.items())
        if isinstance(node, list):
            return sum(1 + self.of(value, steps) for value in node)
        return len(REFERENCE.sub("", str(node))) + sum(self.named(key, steps + 1) for key in REFERENCE.findall(str(node)))

    def named(self, key: str, steps: int) -> float:
        if key not in self.known:
            self.known[key] = math.inf  # until it is known: whoever asks meanwhile stands in a circle
            self.known[key] = math.inf if steps > LONGEST_CHAIN else self.of(_value(self.config, key), steps)
        return self.known[key]


def _value(node: Any, key: str) -> Any:
    """What stands there, None where nothing does: OmegaConf says so."""
    for part in key.split("."):
        if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


def hydra_faults(hydra: dict) -> Iterator[Fault]:
    """What could run code, read the environment, or write elsewhere.

    Args:
        hydra: the node, unresolved.
    """
    for key, text in texts(hydra, "hydra"):
        if fault := _text_fault(key, text):
            yield Fault(fault, f"key '{key}'", REMEDY)
    for name in ("launcher", "sweeper"):
        if not isinstance(hydra.get(name, {}), dict):
            yield Fault(f"{json.dumps(hydra[name]):.80} is no {name}", f"key 'hydra.{name}'", "remove it: Hydra has its own")
            return
    job, sweeper = hydra.get("job", {}), hydra.get("sweeper", {})
    if hydra.get("callbacks"):
        yield Fault(f"Hydra callbacks are not used here: {', '.join(hydra['callbacks'])}", "key 'hydra.callbacks'", REMEDY)
    for name in ("env_set", "env_copy"):
        if job.get(name):
            yield Fault("a config may not read or change the environment", f"key 'hydra.job.{name}'", "set the variable in your shell")
    if hydra.get("searchpath"):
        yield searchpath_fault("key 'hydra.searchpath'")
    if hydra.get("mode"):
        yield Fault("a config does not choose between one run and many", "key 'hydra.mode'", "use -m for many")
    for key in sweeper.get("params") or ():
        if str(key).strip("+~").startswith("hydra"):
            yield Fault(f"a sweep may not change '{key}'", "key 'hydra.sweeper.params'", REMEDY)


def searchpath_fault(where: str) -> Fault:
    """Hydra imports the packages of its search path, so it has to be refused before anything is composed."""
    return Fault("configs are read from conf alone", where, "remove hydra.searchpath, and put the files into conf")


def _text_fault(key: str, text: str) -> str | None:
    last = key.rpartition(".")[2]
    if calls(RESOLVERS.sub("", text)):
        return "a config may not read the environment" if "oc." in text else f"'{text:.80}' calls a resolver"
    if last == "_target_" and not (key in PLUGINS and text in _plugins(PLUGINS[key])):
        return f"'{text:.80}' is not allowed; Hydra builds only its own launchers and sweepers"
    if last == "()" or (last == "class" and text not in LOG_CLASSES):
        return f"'{text:.80}' is not allowed; logs are made by {', '.join(LOG_CLASSES)}"
    if "://" in text and text not in LOG_STREAMS and "logging" in key:
        return f"'{text:.80}' is not allowed; a log goes to a file, or to {' or '.join(LOG_STREAMS)}"
    if last == "filename" and not text.endswith(".log"):
        return f"'{text:.80}' is no log file; its name ends in .log"
    outside = ".." in PurePosixPath(text).parts or (text.startswith("/") and last != "filename")
    if last in ("filename", "output_subdir", "subdir") and outside:
        return f"'{text:.80}' leads out of the run directory"
    if key == "hydra.job.name" and not re.fullmatch(r"[\w.-]+", text):
        return f"'{text:.80}' is no name: it may hold letters, digits, '.', '_' and '-'"
    return None


def _plugins(kind: type) -> set[str]:
    """Full names of the launchers or sweepers that are installed."""
    return {f"{plugin.__module__}.{plugin.__qualname__}" for plugin in Plugins.instance().discover(kind)}
