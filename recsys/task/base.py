"""What every task is asked for."""

from importlib import import_module
from types import ModuleType


def facet(name: str, part: str) -> ModuleType:
    """A module of one task's folder, by convention instead of a list of tasks.

    Args:
        name: folder of the task under `recsys/task`, such as "retrieval".
        part: its file, such as "report", which stands on a higher floor than the task itself and is imported only when asked for.
    """
    return import_module(f"recsys.task.{name}.{part}")
