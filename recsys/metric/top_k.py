"""Exact best K items of the whole catalogue, in bounded memory, with ties accounted for.

B users, V = num_items + 1 catalogue rows (row 0 pads), K cut-off, E and R numbers of pairs, T users of one tile, C items of one chunk.

- One tie rule: score descending, then item index ascending. torch.topk leaves ties open, so its answer is put in order here, and a tie
  that crosses position K is settled by a second look at the rows it concerns.
- What is tied is counted over the whole catalogue, so that metrics can give tied items their expected value (`recsys.metric.ranking`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor

from recsys.metric.scores import TILE_ITEMS, TILE_USERS, Scores

GROUP, SMALLER_GROUP = 16, 4
"""Columns whose maximum stands for them in a first choice: the best K + 1 scores lie in the K + 1 groups with the largest maxima."""
NOTHING = -torch.inf


@dataclass(frozen=True)
class TopK:
    """The best K items of each user and what is tied with them.

    Attributes:
        items: [B, K] int64, score descending, then index ascending; 0 where fewer than K items can be recommended.
        scores: [B, K]; -inf likewise.
        start: [B, K] int64 position (from 0) at which the group of equal scores that this position belongs to begins.
        size: [B, K] int64 items of the whole catalogue in that group; more than are listed if the group crosses position K.
        relevant_start: [R] int64 `start` of the group that a relevant pair belongs to; -1 = scored below position K, or not recommendable.
    """

    items: Tensor
    scores: Tensor
    start: Tensor
    size: Tensor
    relevant_start: Tensor

    def cpu(self) -> "TopK":
        """The same on the CPU."""
        return TopK(**{entry.name: getattr(self, entry.name).cpu() for entry in fields(self)})


@torch.no_grad()
def top_k(scores: Scores, k: int, *, known: Tensor, relevant: Tensor, item_chunk: int = 16_384) -> TopK:
    """Exact top K over the whole catalogue; the same to the last bit for every batch of users and every `item_chunk`.

    Args:
        k: length of the lists; may exceed the catalogue.
        known: [2, E] int64 (row, item), sorted by row: pairs never recommended.
        relevant: [2, R] int64 (row, item), sorted by row, distinct.
        item_chunk: items scored at once, rounded up to whole tiles; memory is about 8 * 256 * item_chunk bytes.
    Raises:
        ValueError: a score is NaN.
    """
    columns = -(-min(max(item_chunk, 1), scores.num_items) // TILE_ITEMS) * TILE_ITEMS
    block = torch.full((TILE_USERS, columns), NOTHING, dtype=scores.dtype, device=scores.device)
    tiles = []
    starts = range(0, scores.num_users, TILE_USERS)
    for first, known_rows, relevant_rows in zip(starts, by_tile(known, starts), by_tile(relevant, starts)):
        tiles.append(_Tile(scores, block, first, known_rows).top_k(k, relevant_rows))
    if not tiles:
        nobody = torch.empty((0, k), dtype=torch.int64, device=scores.device)
        return TopK(nobody, nobody.to(scores.dtype), nobody, nobody, nobody.new_empty(0))
    best = TopK(*(torch.cat([getattr(tile, entry.name) for tile in tiles]) for entry in fields(TopK)))
    if best.scores.isnan().any():
        raise ValueError("a score is NaN; look for an overflow or a NaN in the user and item vectors")
    return best


def by_tile(pairs: Tensor, starts: range) -> list[Tensor]:
    """Pairs [2, E] int64 (row, anything), sorted by row, of each tile of users, rows counted from its first.

    Args:
        starts: first row of each tile, up to the number of rows.
    """
    edges = torch.tensor([*starts, starts.stop], device=pairs.device)
    bounds = torch.searchsorted(pairs[0].contiguous(), edges).tolist()  # one look at the device for all tiles
    return [torch.stack([pairs[0, first:last] - start, pairs[1, first:last]]) for start, (first, last) in zip(starts, pairwise(bounds))]


class _Tile:
    """Up to TILE_USERS users against the whole catalogue, one chunk of items after the other."""

    def __init__(self, scores: Scores, block: Tensor, first: int, known: Tensor):
        self.scores, self.block, self.first, self.known = scores, block, first, known
        self.num_rows = min(TILE_USERS, scores.num_users - first)

    def top_k(self, k: int, relevant: Tensor) -> TopK:
        values, items, relevant_scores = self._best(k + 1, relevant)
        crossing = (values[:, k - 1] == values[:, k]) & (values[:, k] > NOTHING)  # [T] the group at position K goes on beyond it
        values, items = values[:, :k].contiguous(), items[:, :k].contiguous()
        start = _group_start(values)
        size = torch.zeros_like(start).scatter_add_(1, start, torch.ones_like(start)).gather(1, start)
        rows = crossing.nonzero().squeeze(1)
        if len(rows):
            count = self._settle(rows, values, items, start)
            last = start[rows] == start[rows, -1:]
            size[rows] = torch.where(last, count[:, None], size[rows])
        items = items.masked_fill(values == NOTHING, 0)
        better = (values[relevant[0]] > relevant_scores[:, None]).sum(1)  # [R] positions with a higher score
        relevant_start = better.masked_fill((better == k) | (relevant_scores == NOTHING), -1)
        return TopK(items, values, start, size, relevant_start)

    def _chunks(self) -> Iterator[tuple[int, Tensor]]:
        """(first item, [T, C] scores) of each chunk; padding, known items and what lies beyond the catalogue are -inf."""
        width = self.block.shape[1]
        for first_item in range(0, self.scores.num_items, width):
            self.scores.write(self.block, self.first, first_item)
            self.block[:, self.scores.num_items - first_item :] = NOTHING
            if first_item == 0:
                self.block[:, 0] = NOTHING
            inside = (self.known[1] >= first_item) & (self.known[1] < first_item + width)
            row, item = self.known[:, inside]
            self.block[row, item - first_item] = NOTHING
            yield first_item, self.block[: self.num_rows]

    def _best(self, count: int, relevant: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[T, count] best scores in order, their items (any of those tied at the end), and the [R] scores of the relevant pairs."""
        values = self.block.new_full((self.num_rows, count), NOTHING)
        items = torch.zeros_like(values, dtype=torch.int64)
        relevant_scores = values.new_full((relevant.shape[1],), NOTHING)
        for first_item, block in self._chunks():
            scores, columns = _largest(block, count)
            if first_item == 0 and scores.shape[1] == count:
                values, items = scores, columns  # nothing to choose from yet
            else:
                values, order = torch.cat([values, scores], 1).topk(count)
                items = torch.cat([items, columns + first_item], 1).gather(1, order)
            row, column = relevant[0], relevant[1] - first_item
            inside = (column >= 0) & (column < block.shape[1])
            relevant_scores[inside] = block[row[inside], column[inside]]
        items, order = items.sort(1)
        values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
        return values, items.gather(1, order), relevant_scores

    def _settle(self, rows: Tensor, values: Tensor, items: Tensor, start: Tensor) -> Tensor:
        """Fill the last group of these rows with its lowest item indices, in place; the [rows] sizes of the whole groups."""
        threshold = values[rows, -1]
        following = start[rows, -1]  # next position to fill
        count = torch.zeros_like(following)
        for first_item, block in self._chunks():
            tied = block[rows] == threshold[:, None]
            in_chunk = tied.sum(1)
            row, column = tied.nonzero(as_tuple=True)  # by row, then by item
            before = in_chunk.cumsum(0) - in_chunk
            position = (following + count - before)[row] + torch.arange(len(row), device=row.device)
            fits = position < values.shape[1]
            items[rows[row[fits]], position[fits]] = column[fits] + first_item
            count += in_chunk
        return count


def _largest(block: Tensor, count: int, group: int = GROUP) -> tuple[Tensor, Tensor]:
    """[T, min(count, C)] largest entries of each row and their columns, in any order of ties; C is a multiple of `group`."""
    rows, columns = block.shape
    groups = columns // group
    if count * 4 > groups:
        return block.topk(min(count, columns))
    best = block.view(rows, group, groups).amax(1).topk(count, sorted=False).indices  # group g holds columns g, g + groups, ...
    steps = torch.arange(group, device=block.device) * groups
    candidates = (best[:, :, None] + steps).view(rows, -1)  # [T, count * group]
    values, order = _largest(block.gather(1, candidates), count, SMALLER_GROUP)
    return values, candidates.gather(1, order)


def _group_start(values: Tensor) -> Tensor:
    """[T, K] position at which each run of equal scores begins."""
    position = torch.arange(values.shape[1], device=values.device).expand_as(values)
    begins = torch.ones_like(values, dtype=torch.bool)
    begins[:, 1:] = values[:, 1:] != values[:, :-1]
    return torch.where(begins, position, 0).cummax(1).values
