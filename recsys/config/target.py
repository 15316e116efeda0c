"""Which classes and functions a config may name."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from recsys.errors import name_list
from recsys.schema import nearest

LIGHTNING = ("accelerators", "callbacks", "loggers", "plugins", "profilers", "strategies")
"""Parts of pytorch_lightning that a config may name; its `cli` and `demos` would import and download what arguments name."""
PACKAGES = ("recsys", "torch.optim", *(f"pytorch_lightning.{part}" for part in LIGHTNING))
"""Packages whose public classes a config may build, and for recsys also its functions."""
TRAINER = "pytorch_lightning.Trainer"


def locate(name: str) -> Callable:
    """The class or function that a `_target_` names.

    A target is `module.Name`: public, at the top level of its module, and defined in the package it is named in, so that neither an
    import (`recsys.data.store.os.system`) nor a method (`recsys.schema.Schema.load`) can be reached.

    Raises:
        ValueError: the target is not allowed or does not exist; the text says why and names the nearest.
    """
    package = next((package for package in PACKAGES if name.startswith(package + ".")), "pytorch_lightning" if name == TRAINER else None)
    if package is None:
        raise ValueError(f"'{name}' is not allowed; a config builds only from {', '.join(PACKAGES)}, and {TRAINER}")
    if not all(part.isidentifier() and not part.startswith("_") for part in name.split(".")):
        raise ValueError(f"'{name}' is not allowed; a target is a public name like recsys.loss.bpr.BPR")
    module_name, _, attribute = name.rpartition(".")
    module = _module(module_name)
    target: Any = vars(module).get(attribute)
    public = _public(module, package)
    if not _defined_in(target, package):
        raise ValueError(f"{module_name} defines no '{attribute}'{nearest(attribute, public)}{_there(public)}")
    if inspect.isabstract(target):
        raise ValueError(f"{name} is abstract: name one of its subclasses")
    return target


def _module(name: str) -> ModuleType:
    if (imported := sys.modules.get(name)) is not None:  # listing the files of a package takes longer than all else here
        return imported
    parent, _, last = name.rpartition(".")
    if parent:
        package = _module(parent)
        # names are looked up before importing: a missing module is told apart from one that fails while it is imported
        siblings = [entry.name for entry in pkgutil.iter_modules(package.__path__)] if "__path__" in vars(package) else []
        if last not in siblings:
            raise ValueError(f"{parent} has no module '{last}'{nearest(last, siblings)}{_there(siblings)}")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"{name} cannot be imported: {error}") from error


def _defined_in(value: object, package: str) -> bool:
    kinds = (type, FunctionType) if package == "recsys" else (type,)
    return isinstance(value, kinds) and (value.__module__ + ".").startswith(package + ".")


def _public(module: ModuleType, package: str) -> list[str]:
    return sorted(name for name, value in vars(module).items() if not name.startswith("_") and _defined_in(value, package))


def _there(names: Iterable[str]) -> str:
    public = [name for name in names if not name.startswith("_")]
    return f" (there: {name_list(public, 12)})" if public else ""


def component_name(node: Mapping[str, Any]) -> str:
    """The word by which a component is known in conf, recsys and tests: the name of its file, or of its folder.

    Example:
        >>> component_name({"_target_": "recsys.loss.bpr.BPR"})
        'bpr'
    """
    return str(node["_target_"]).split(".")[-2]
