"""What a composed config may not say, although Hydra would take it: open values, resolver calls, classes for Hydra to build."""

import re
from collections.abc import Iterator
from typing import Any

from recsys.errors import Fault

MISSING = "???"
RESOLVER = re.compile(r"\$\{\s*[\w.]+\s*:")
"""An interpolation that calls a function; only `${another.key}` is left to configs."""
HYDRA_BUILDS = ("hydra._internal.core_plugins.", "hydra_plugins.", "logging.", "recsys.")
"""What Hydra's own node may name: its launchers and sweepers, and log handlers."""


def resolver_faults(config: dict, origin: dict[str, str]) -> Iterator[Fault]:
    """Interpolations of a plain, unresolved config that are more than the name of another key."""
    for key, text in _texts(config, ""):
        if RESOLVER.search(text):
            place = origin.get(key, "config")
            yield Fault(f"'{text}' calls a resolver", f"{place}, key '{key}'", "write the value; only ${another.key} is read here")


def missing_faults(config: dict, origin: dict[str, str]) -> Iterator[Fault]:
    """Values that a yaml file leaves open with ???."""
    for key, text in _texts(config, ""):
        if text == MISSING:
            place = origin.get(key, "config")
            yield Fault(f"'{key}' has to be given", f"{place}, key '{key}'", f"set {key}=<value>")


def hydra_faults(hydra: dict) -> Iterator[Fault]:
    """Hydra builds what its own node names; it is held to its own plugins and to log handlers, and reads no environment."""
    remedy = "remove it: a config cannot run arbitrary code"
    for key, text in _texts(hydra, "hydra"):
        builds = key.rpartition(".")[2] in ("_target_", "()", "class")
        if (builds and not text.startswith(HYDRA_BUILDS)) or (text.startswith("ext://") and not text.startswith("ext://sys.std")):
            yield Fault(f"'{text}' is not allowed", f"key '{key}'", remedy)
        if "oc.env" in text and key.startswith(("hydra.run", "hydra.sweep.", "hydra.job")):
            yield Fault("a config may not read the environment", f"key '{key}'", "write the value")
    if hydra["callbacks"]:
        yield Fault(f"Hydra callbacks are not used here: {', '.join(hydra['callbacks'])}", "key 'hydra.callbacks'", remedy)


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """(dotted key, text) of every text in a plain config."""
    if isinstance(node, str):
        yield path, node
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from _texts(value, f"{path}.{key}" if path else str(key))
