"""Recommenders from raw tables to ONNX: what Python code may use, each name imported when it is first asked for.

Example:
    >>> import recsys
    >>> recsys.compose("task=ranking").monitor
    'val/log_loss'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys.export.program import export_run
    from recsys.program import compose, evaluate, train
    from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Timestamp, Vector

HOMES = {
    "recsys.program": ("compose", "train", "evaluate"),
    "recsys.export.program": ("export_run",),
    "recsys.schema": ("Schema", "Label", "Categorical", "Numeric", "MultiCategorical", "History", "Vector", "Timestamp"),
}
"""{module: public names that it defines}."""
__all__ = [
    "Categorical",
    "History",
    "Label",
    "MultiCategorical",
    "Numeric",
    "Schema",
    "Timestamp",
    "Vector",
    "compose",
    "evaluate",
    "export_run",
    "train",
]


def __getattr__(name: str) -> Any:
    for module, names in HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'recsys' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
