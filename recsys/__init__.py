"""Recommenders from raw tables to ONNX: what Python code may use, each name imported when it is first asked for.

Example:
    >>> import recsys
    >>> recsys.compose("task=ranking").monitor
    'val/log_loss'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recsys.machine import choose_threads

if TYPE_CHECKING:
    from recsys.export.program import export_run
    from recsys.program import compose, evaluate, train
    from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Timestamp, Vector

HOMES = {"compose": "recsys.program", "evaluate": "recsys.program", "train": "recsys.program", "export_run": "recsys.export.program"}
"""{public name: module that defines it}; recsys.schema defines the others."""
choose_threads()  # before any module of the package imports torch
__all__ = ["Categorical", "History", "Label", "MultiCategorical", "Numeric", "Schema", "Timestamp", "Vector"]
__all__ += ["compose", "evaluate", "export_run", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'recsys' has no attribute '{name}'")
    return getattr(import_module(HOMES.get(name, "recsys.schema")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
