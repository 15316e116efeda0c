"""Scores of users for the whole catalogue, written tile by tile so that no score depends on how the work is cut.

B users, V = num_items + 1 catalogue rows (row 0 pads), D dim, C columns of one block.

The last bit of a matrix product depends on its shape: a score would depend on the batch it came in. So products are taken in tiles of one
fixed shape, filled up with zero vectors.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import pad

TILE_USERS = 256
TILE_ITEMS = 4096


class Scores(ABC):
    """Scores of B = num_users users for V = num_items items, written tile by tile into blocks on `device`."""

    num_users: int
    num_items: int
    device: torch.device
    dtype: torch.dtype

    @abstractmethod
    def write(self, block: Tensor, first_user: int, first_item: int) -> None:
        """Write the scores of users first_user.. and items first_item.. into `block`.

        Args:
            block: [TILE_USERS, C], C a multiple of TILE_ITEMS; rows and columns beyond the last user and item may be left as they are.
            first_user, first_item: multiples of TILE_USERS and TILE_ITEMS.
        """


class DotProduct(Scores):
    """Inner products of user vectors [B, D] and item vectors [V, D], in float32 whatever autocast or the matmul precision say."""

    def __init__(self, users: Tensor, items: Tensor):
        if users.shape[1] != items.shape[1]:
            what = f"users and items need the same dim, got {users.shape[1]} and {items.shape[1]}"
            raise ValueError(f"{what}; set the same output dim on both towers")
        self.users, self.items = users.float(), items.float()
        self.num_users, self.num_items = len(users), len(items)
        self.device, self.dtype = items.device, torch.float32

    def write(self, block: Tensor, first_user: int, first_item: int) -> None:
        users = _filled(self.users[first_user : first_user + TILE_USERS], TILE_USERS)
        with _float32_products():
            for column in range(0, min(block.shape[1], self.num_items - first_item), TILE_ITEMS):
                items = _filled(self.items[first_item + column : first_item + column + TILE_ITEMS], TILE_ITEMS)
                torch.mm(users, items.T, out=block[:, column : column + TILE_ITEMS])  # out=: autocast leaves it alone


class Dense(Scores):
    """Scores [B, V] float32 or float64 that are there already; -inf = cannot be recommended."""

    def __init__(self, scores: Tensor):
        self.scores = scores
        self.num_users, self.num_items = scores.shape
        self.device, self.dtype = scores.device, scores.dtype

    def write(self, block: Tensor, first_user: int, first_item: int) -> None:
        part = self.scores[first_user : first_user + TILE_USERS, first_item : first_item + block.shape[1]]
        block[: part.shape[0], : part.shape[1]] = part


def _filled(rows: Tensor, size: int) -> Tensor:
    """[size, D]: the rows, then zero vectors."""
    return rows if len(rows) == size else pad(rows, (0, 0, 0, size - len(rows)))


@contextmanager
def _float32_products() -> Iterator[None]:
    """float32 products in float32: no TF32 or bfloat16 shortcuts."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
