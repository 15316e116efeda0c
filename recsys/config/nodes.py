"""Nodes of a config, and what is built of them: a mapping with `_target_` (a class or function) and its keyword arguments.

With `_partial_: true` it becomes a `functools.partial` that the program calls with what only a run knows (schema, catalogue, ...).
"""

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

from recsys.config.foreign import annotations
from recsys.config.target import locate
from recsys.config.values import convert
from recsys.errors import ArgumentError, ConfigError, Fault, RecsysError

LIGHTNING_REFUSES = "MisconfigurationException"
"""By name: to import it takes seconds, which a mistyped key should not have to wait for."""


class Node(dict[str, Any]):
    """A mapping of a config that knows its dotted key, such as model.user."""

    key = ""


def typed_config(config: Mapping[str, Any], root: Any, path: str = "") -> Any:
    """The root config of a checked mapping, which stands under the key `path`; nodes stay mappings until they are built."""
    kinds = {entry.name: entry.type for entry in fields(root)}
    values = {}
    for name, value in config.items():
        kind, key = kinds[name], f"{path}.{name}" if path else name
        closed = isinstance(kind, type) and is_dataclass(kind)
        values[name] = typed_config(value, kind, key) if closed else convert(_with_keys(value, key), kind)
    return root(**values)


def _with_keys(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_with_keys(entry, f"{path}.{number}") for number, entry in enumerate(value)]
    if not isinstance(value, dict):
        return value
    node = Node({key: _with_keys(entry, f"{path}.{key}") for key, entry in value.items()})
    node.key = path
    return node


def build(node: Any) -> Any:
    """The object of a node, inner nodes first; lists and mappings stay such. A ConfigError where a target is refused or refuses."""
    if isinstance(node, list | tuple):
        return [build(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {key: build(value) for key, value in node.items()}
    arguments = {key: build(value) for key, value in node.items() if key not in ("_target_", "_partial_")}
    key = node.key if isinstance(node, Node) else ""
    with _refusals(key, node["_target_"]):
        target = locate(node["_target_"])
        kinds = {name: parameter.annotation for name, parameter in signature(target).parameters.items()}
        arguments = {key: convert(value, kinds[key]) if key in kinds else value for key, value in arguments.items()}
        if node.get("_partial_"):
            partial = _Partial(target, **arguments)
            partial.key = key
            return partial
        return target(**arguments)


class _Partial(functools.partial):
    """Refuses like a target that is built at once."""

    key = ""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        with _refusals(self.key, f"{self.func.__module__}.{self.func.__qualname__}"):
            return super().__call__(*args, **kwargs)


@contextmanager
def _refusals(key: str, target: str) -> Iterator[None]:
    """Turn what a target says about its arguments into a ConfigError with the key, or the target where the key is not known."""
    try:
        yield
    except ArgumentError as error:
        where = f"{key}." if key else ""
        raise ConfigError(*(replace(fault, where=f"{where}{fault.where}") for fault in error.faults)) from error
    except RecsysError:
        raise
    except Exception as error:
        if not isinstance(error, ValueError) and type(error).__name__ != LIGHTNING_REFUSES:
            raise
        raise ConfigError(Fault(str(error), key or f"the config of {target}", "change the key that the message names")) from error


def signature(target: Any) -> inspect.Signature:
    """The target's signature with evaluated annotations where its module allows, and ranges where another package names none."""
    try:
        plain = inspect.signature(target, eval_str=True)
    except NameError:  # imported under TYPE_CHECKING only
        plain = inspect.signature(target)
    ranges = annotations(target)
    parameters = [entry.replace(annotation=ranges.get(name, entry.annotation)) for name, entry in plain.parameters.items()]
    return plain.replace(parameters=parameters)
