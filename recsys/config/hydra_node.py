"""Hydra's own node, `hydra:` of a composed config. Hydra builds what it names, so it is held to what runs and logs need."""

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from recsys.config.references import calls, texts
from recsys.errors import Fault

RESOLVERS = re.compile(r"\$\{(now:[%\w\s:.-]*|hydra:[\w.]+)\}")
"""Calls that tell the time or where the run is; every other one is refused."""
PLUGINS = {"hydra.launcher._target_": Launcher, "hydra.sweeper._target_": Sweeper}
LOG_CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "logging.Formatter")
LOG_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
REMEDY = "remove it: a config cannot run arbitrary code"


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
