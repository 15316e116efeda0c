"""Refusals of what Hydra would take: open values, resolver calls, references without end, and most keys of its own node `hydra:`."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from recsys.config import flattened
from recsys.errors import Fault

MISSING = "???"
REFERENCE = re.compile(r"\$\{\s*([\w.-]+)\s*\}")
LARGEST_CHARACTERS, LONGEST_CHAIN = 1_000_000, 20
"""Length of a config with every reference replaced, since ten lines can fill the memory; references that lead from one to the next."""
RESOLVERS = re.compile(r"\$\{(now:[%\w\s:.-]*|hydra:[\w.]+)\}")
"""Calls that tell the time or where the run is; every other one is refused."""
PLUGINS = {"hydra.launcher._target_": Launcher, "hydra.sweeper._target_": Sweeper}
LOG_CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "logging.Formatter")
LOG_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
REMEDY = "remove it: a config cannot run arbitrary code"


def text_faults(config: dict[str, Any], origin: Mapping[str, str]) -> Iterator[Fault]:
    """Faults of the texts of a plain, unresolved config: open values, resolver calls, and only without these endless references."""
    faults = []
    for key, text in texts(config):
        where = f"{origin.get(key, 'config')}, key '{key}'"
        if calls(text):
            faults.append(Fault(f"'{text:.80}' calls a resolver", where, "write the value; only ${another.key} is read here"))
        elif text == MISSING:
            faults.append(Fault(f"'{key}' has to be given", where, f"set {key}=<value>"))
    yield from faults or expansion_faults(config, origin)


def calls(text: str) -> bool:
    """Whether an interpolation is more than the name of another key: it calls a function, or is put together from others."""
    return "${" in REFERENCE.sub("", text)


def expansion_faults(config: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    """References of a plain, unresolved config that lead back to themselves, or stand for more text than a config can hold."""
    sizes = _Sizes(config)
    if sizes.of(config) <= LARGEST_CHARACTERS:
        return
    key, text = max(((key, text) for key, text in texts(config) if "${" in text), key=lambda pair: sizes.of(pair[1]))
    meaning = "leads back to itself" if math.isinf(sizes.of(text)) else f"stands for {sizes.of(text):,} characters"
    yield Fault(f"'{text:.80}' {meaning}", f"{origin.get(key, 'config')}, key '{key}'", "write the value")


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) of every text in a plain config."""
    return ((key, value) for key, value in flattened(node, path) if isinstance(value, str))


class _Sizes:
    """Characters of a value with every reference replaced; infinite where there is no end."""

    def __init__(self, config: dict):
        self.config = config
        self.of_keys: dict[str, float] = {}

    def of(self, node: Any, steps: int = 0) -> float:
        if isinstance(node, dict):
            return sum(len(str(key)) + self.of(value, steps) for key, value in node.items())
        if isinstance(node, list):
            return sum(1 + self.of(value, steps) for value in node)
        return len(REFERENCE.sub("", str(node))) + sum(self.of_key(key, steps + 1) for key in REFERENCE.findall(str(node)))

    def of_key(self, key: str, steps: int) -> float:
        if key not in self.of_keys:
            self.of_keys[key] = math.inf  # until it is counted: a reference that reads it meanwhile leads back to itself
            self.of_keys[key] = math.inf if steps > LONGEST_CHAIN else self.of(value_at(self.config, key), steps)
        return self.of_keys[key]


def value_at(node: Any, key: str, default: Any = None) -> Any:
    """The value under a dotted key of a plain config, where a number counts a list's entries; `default` where there is none."""
    for part in key.split("."):
        if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return default
    return node


def hydra_faults(hydra: dict) -> Iterator[Fault]:
    """Keys of Hydra's node, unresolved, that could run code, read the environment, or write elsewhere."""
    for key, text in texts(hydra, "hydra"):
        if fault := _text_fault(key, text):
            yield Fault(fault, f"key '{key}'", REMEDY)
    for name in ("launcher", "sweeper"):
        if not isinstance(hydra.get(name, {}), dict):
            yield Fault(f"{json.dumps(hydra[name]):.80} is not a {name}", f"key 'hydra.{name}'", "remove it: Hydra has its own")
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
    if last == "_target_" and not (key in PLUGINS and text in plugins(PLUGINS[key])):
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


def plugins(kind: type) -> dict[str, type]:
    """{full name: class} of the launchers or sweepers that are installed."""
    return {f"{plugin.__module__}.{plugin.__qualname__}": plugin for plugin in Plugins.instance().discover(kind)}
