"""Exact top K: the tie rule, masks, and scores that do not depend on how the work is cut."""

import numpy as np
import pytest
import torch

from recsys.metric.scores import Dense, DotProduct
from recsys.metric.top_k import TopK, by_tile, top_k

NOTHING = torch.empty((2, 0), dtype=torch.int64)


def pairs(rows: list[int], items: list[int]) -> torch.Tensor:
    return torch.tensor([rows, items])


def by_lexsort(scores: np.ndarray, k: int) -> np.ndarray:
    """Items by score descending, then index ascending; 0 for -inf; k at most V."""
    order = np.stack([np.lexsort((np.arange(len(row)), -row)) for row in scores])[:, :k]
    return np.where(np.take_along_axis(scores, order, 1) == -np.inf, 0, order)


def random_pairs(num_rows: int, num_items: int, count: int, generator: torch.Generator) -> torch.Tensor:
    key = torch.unique(
        torch.randint(num_rows, (count,), generator=generator) * num_items + torch.randint(1, num_items, (count,), generator=generator)
    )
    return torch.stack([key // num_items, key % num_items])


@pytest.mark.parametrize("levels", [1, 2, 30, 10_000])
def test_list_and_tie_groups_equal_a_full_sort(levels):
    generator = torch.Generator().manual_seed(levels)
    num_users, num_items, k = 300, 9000, 7
    scores = torch.randint(levels, (num_users, num_items), generator=generator).float()
    known, relevant = (random_pairs(num_users, num_items, 2000, generator) for _ in range(2))

    top = top_k(Dense(scores), k, known=known, relevant=relevant, item_chunk=4096)

    masked = scores.clone()
    masked[:, 0] = masked[known[0], known[1]] = -torch.inf
    expected = by_lexsort(masked.numpy(), k)
    listed = masked.gather(1, torch.tensor(expected))
    assert np.array_equal(top.items, expected)
    assert torch.equal(top.scores, listed)
    assert torch.equal(top.size, (masked[:, None, :] == listed[:, :, None]).sum(2))  # over the whole catalogue
    assert torch.equal(top.start, (listed[:, None, :] > listed[:, :, None]).sum(2))
    relevant_scores = masked[relevant[0], relevant[1]]
    higher = (masked[relevant[0]] > relevant_scores[:, None]).sum(1)
    assert torch.equal(top.relevant_start, torch.where((higher < k) & (relevant_scores > -torch.inf), higher, -1))


def test_list_longer_than_catalogue_ends_in_padding():
    scores = torch.tensor([[9.0, 1.0, 3.0, 2.0]])

    top = top_k(Dense(scores), 5, known=pairs([0], [2]), relevant=pairs([0, 0], [2, 3]))

    assert top.items.tolist() == [[3, 1, 0, 0, 0]]  # item 0 pads, item 2 is known
    assert top.scores.tolist() == [[2.0, 1.0, -torch.inf, -torch.inf, -torch.inf]]
    assert top.relevant_start.tolist() == [-1, 0]


def equal(one: TopK, other: TopK) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("items", "scores", "start", "size"))


@pytest.mark.parametrize("dim", [7, 64, 130])
def test_scores_are_equal_to_the_last_bit_for_every_chunk(dim):
    generator = torch.Generator().manual_seed(dim)
    users, items = (torch.randn(rows, dim, generator=generator) for rows in (261, 9001))
    items[100:200] = items[300:400]  # exact ties
    whole = top_k(DotProduct(users, items), 20, known=NOTHING, relevant=NOTHING)

    for batch in (77, 256, 260):
        parts = [top_k(DotProduct(part, items), 20, known=NOTHING, relevant=NOTHING, item_chunk=1) for part in users.split(batch)]
        assert equal(whole, TopK(*(torch.cat([getattr(part, name) for part in parts]) for name in TopK.__dataclass_fields__)))
    for chunk in (4097, 10**9):
        assert equal(whole, top_k(DotProduct(users, items), 20, known=NOTHING, relevant=NOTHING, item_chunk=chunk))


def test_nan_score_is_refused():
    with pytest.raises(ValueError, match="a score is NaN"):
        top_k(Dense(torch.tensor([[0.0, 1.0, torch.nan, 2.0]])), 1, known=NOTHING, relevant=NOTHING)


def test_no_users_give_an_empty_answer():
    top = top_k(DotProduct(torch.zeros(0, 4), torch.zeros(3, 4)), 2, known=NOTHING, relevant=NOTHING)

    assert top.items.shape == (0, 2)


def test_rows_of_a_tile_count_from_its_first():
    first, second = by_tile(pairs([0, 1, 1, 3], [5, 6, 7, 8]), range(0, 4, 2))
    assert first.tolist() == [[0, 1, 1], [5, 6, 7]]
    assert second.tolist() == [[1], [8]]


@pytest.mark.gpu
def test_gpu_lists_equal_cpu_lists_on_exact_scores():
    generator = torch.Generator().manual_seed(0)
    users, items = (torch.randint(-2, 3, (rows, 32), generator=generator).float() for rows in (300, 20_000))  # exact products, many ties
    known, relevant = (random_pairs(300, 20_000, 5000, generator) for _ in range(2))

    on_cpu = top_k(DotProduct(users, items), 20, known=known, relevant=relevant)
    on_gpu = top_k(DotProduct(users.cuda(), items.cuda()), 20, known=known.cuda(), relevant=relevant.cuda()).cpu()

    assert equal(on_cpu, on_gpu)
    assert torch.equal(on_cpu.relevant_start, on_gpu.relevant_start)
