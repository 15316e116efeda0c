"""A tower turns the features of a user or an item into one vector. B rows, L history length, Q positions, D dim."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Tower(nn.Module, ABC):
    """Features in, vectors out; no loss, no normalisation (the model decides on that)."""

    window = 0
    """Events of a user in a training window, for a tower with `every_position`; 0 trains on single events."""

    @abstractmethod
    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """[B, D] vectors of the rows of `features` ({column: [B] or [B, L]})."""

    def every_position(self, features: dict[str, Tensor]) -> Tensor:
        """[Q, D] vectors at every position that holds an entry of the history, row after row.

        That at position t has seen only the first t entries: what stands at t can be its positive.
        """
        raise NotImplementedError(f"{type(self).__name__} has one vector per row; use tower@model.user=sequence for sequences")
