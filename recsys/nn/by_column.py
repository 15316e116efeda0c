"""Modules by the name of the column that they read."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, cast

from torch import nn

M = TypeVar("M", bound=nn.Module)


class ByColumn(nn.Module, Generic[M]):
    """Takes every column name, as a ModuleDict does not; weights are saved under the name itself wherever torch allows it.

    Args:
        modules: {column: module}; names that torch keeps for itself, such as `type`, `items` or `user.age`, are allowed.
    """

    def __init__(self, modules: Mapping[str, M]):
        super().__init__()
        self.columns = tuple(modules)
        for column, module in modules.items():
            self.add_module(_module_name(column), module)

    def __getitem__(self, column: str) -> M:
        """The module of a column; a KeyError if there is none."""
        return cast(M, self._modules[_module_name(column)])

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def items(self) -> list[tuple[str, M]]:
        """(column, module) in order."""
        return [(column, self[column]) for column in self.columns]

    def values(self) -> list[M]:
        """The modules in order; one that several columns share stands there for each."""
        return [module for _, module in self.items()]


TAKEN = frozenset(dir(ByColumn({})))
"""Names that a module has for itself."""


def _module_name(column: str) -> str:
    name = column.replace(".", "%2E")
    return f"{name}%" if name in TAKEN else name
