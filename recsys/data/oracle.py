"""The truth of a simulated world, by entity index. B users, V = num_items + 1 catalogue rows."""

import torch
from torch import Tensor

from recsys.data.store import Store
from recsys.source.base import Oracle, Source


class CatalogueOracle:
    """Scores the catalogue as an `Oracle` knows it for the period of the test split; an evaluation reads it like a baseline.

    Args:
        oracle: answers for raw ids.
        store: whose users and items are asked about.
        start, stop: the period, microseconds since 1970 UTC, stop exclusive.
    """

    def __init__(self, oracle: Oracle, store: Store, *, start: int, stop: int):
        self.oracle = oracle
        self.user_ids = store.user_ids[1:].to_numpy()  # [0] is null, which would turn integers into floats
        self.item_ids = store.item_ids[1:].to_numpy()
        self.start, self.stop = start, stop

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        """[B] user entity indices -> [B, V] float32 true expected positives; column 0 is 0. `known` plays no part."""
        scores = torch.from_numpy(self.oracle.scores(self.user_ids[user.numpy() - 1], self.item_ids, self.start, self.stop))
        return torch.nn.functional.pad(scores, (1, 0))  # [B, V]


def oracle_of_test(source: Source, store: Store) -> CatalogueOracle | None:
    """The oracle of the test period; None where there is none, or where the split has no period."""
    oracle = source.oracle()
    if oracle is None or store.boundaries is None:
        return None
    return CatalogueOracle(oracle, store, start=store.boundaries["test"], stop=store.boundaries["end"])
