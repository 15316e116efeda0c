"""The chunked softmax against torch's dense cross-entropy. 37 queries, 11 candidates, 5 dimensions."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from recsys.loss.softmax import fused_softmax

GENERATOR = torch.Generator().manual_seed(0)
USERS = torch.randn(37, 5, generator=GENERATOR)
ITEMS = torch.randn(11, 5, generator=GENERATOR)
POSITIVE_AT = torch.randint(11, (37,), generator=GENERATOR)
LOG_Q = torch.rand(11, generator=GENERATOR).log()
WEIGHT = torch.rand(37, generator=GENERATOR)
_pairs = (torch.rand(37, 11, generator=GENERATOR) < 0.2).nonzero()
KNOWN = _pairs[_pairs[:, 1] != POSITIVE_AT[_pairs[:, 0]]].T


def fused(users: torch.Tensor, items: torch.Tensor, *, chunk_rows: int | None = None, known: torch.Tensor | None = KNOWN) -> torch.Tensor:
    return fused_softmax(
        users,
        items,
        POSITIVE_AT,
        temperature=0.7,
        log_q=LOG_Q,
        positive_log_q=torch.zeros(len(users)),
        known=known,
        weight=WEIGHT,
        exponent=1.0,
        positive_competes=True,
        chunk_rows=chunk_rows,
    )


def dense(users: torch.Tensor, items: torch.Tensor, *, at_most: float = math.inf) -> torch.Tensor:
    scores = users @ items.T / 0.7
    at = POSITIVE_AT[:, None]
    logits = (scores - LOG_Q).scatter(1, at, scores.gather(1, at))
    logits = logits.index_put((KNOWN[0], KNOWN[1]), torch.tensor(-torch.inf))
    losses = F.cross_entropy(logits, POSITIVE_AT, reduction="none").clamp(max=at_most)
    return (losses * WEIGHT).sum() / WEIGHT.sum()


def with_gradients(loss, **arguments) -> list[torch.Tensor]:
    """Value, and gradients of 3 x the value, of users and items."""
    users, items = USERS.clone().requires_grad_(), ITEMS.clone().requires_grad_()
    value = loss(users, items, **arguments)
    return [value.detach(), *torch.autograd.grad(3 * value, (users, items))]


@pytest.mark.parametrize("chunk_rows", [None, 1, 10, 37, 1000])
def test_equals_dense_cross_entropy_for_every_chunk_size(chunk_rows):
    for got, want in zip(with_gradients(fused, chunk_rows=chunk_rows), with_gradients(dense)):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


def test_bfloat16_is_near_float32():
    expected = with_gradients(fused)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = with_gradients(fused, chunk_rows=10)
    for got, want in zip(under_autocast, expected):
        assert got.dtype == torch.float32
        assert (got - want).norm() < 0.02 * want.norm()


def test_bfloat16_vectors_get_bfloat16_gradients():
    users, items = USERS.bfloat16().requires_grad_(), ITEMS.bfloat16().requires_grad_()
    value = fused(users, items)
    value.backward()
    assert value.dtype == torch.float32
    assert users.grad.dtype == items.grad.dtype == torch.bfloat16


def test_large_scores_neither_overflow_nor_vanish():
    # scores of some 10,000 overflow exp in float32, and most positives have no probability left there
    users, items = (100 * USERS).requires_grad_(), (100 * ITEMS).requires_grad_()
    value = fused(users, items)
    assert value.item() == pytest.approx(dense(users, items, at_most=-math.log(torch.finfo(torch.float32).tiny)).item(), rel=1e-5)
    for got, want in zip(torch.autograd.grad(value, (users, items)), torch.autograd.grad(dense(users, items), (users, items))):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-5)


def test_value_without_gradients_is_the_same():
    with torch.no_grad():
        value = fused(USERS.clone().requires_grad_(), ITEMS)
    assert not value.requires_grad
    assert value.item() == pytest.approx(dense(USERS, ITEMS).item(), rel=1e-5)


def alike(num_queries: int, num_items: int, users: torch.Tensor, items: torch.Tensor, **rule: object) -> torch.Tensor:
    """The loss of queries that all have the first item as their positive."""
    return fused_softmax(
        users,
        items,
        torch.zeros(num_queries, dtype=torch.int64),
        temperature=1.0,
        log_q=torch.zeros(num_items),
        positive_log_q=torch.zeros(num_queries),
        known=None,
        weight=torch.ones(num_queries),
        exponent=1.0,
        **rule,
    )


def test_exponentials_are_summed_in_float32_under_autocast():
    # every score is 0, so the 1,000 negatives' sum is 1,000: ln 1000 = 6.907755; bfloat16 has 6.90625 and 6.9375 there
    with torch.autocast("cpu", torch.bfloat16):
        loss = alike(3, 1001, torch.zeros(3, 4), torch.ones(1001, 4), positive_competes=False)
    assert loss.item() == pytest.approx(6.907755, abs=1e-5)


def test_log_q_keeps_its_digits_beside_a_large_score_under_autocast():
    # score -300 and log q -300.7 make a logit of 0.7; log q alone would be -300 or -302 in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        loss = fused_softmax(
            torch.tensor([[-300.0]]),
            torch.tensor([[0.0], [1.0]]),
            torch.tensor([0]),
            temperature=1.0,
            log_q=torch.tensor([0.0, -300.7]),
            positive_log_q=torch.zeros(1),
            known=None,
            weight=torch.ones(1),
            exponent=1.0,
            positive_competes=False,
        )
    assert loss.item() == pytest.approx(0.7, abs=0.005)


def test_gradients_of_chunks_are_summed_in_float32_under_autocast():
    # 64 chunks of the same 32 queries; weights are powers of 2, so that each chunk's part is exactly a 64th of the gradient of one
    user, items = torch.tensor([[0.7, -0.4, 0.2]]), ITEMS[:, :3].clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        one, many = (alike(num, 11, user.expand(num, 3), items, positive_competes=True, chunk_rows=32) for num in (32, 2048))
    (one_chunk,), (chunks,) = (torch.autograd.grad(loss, items) for loss in (one, many))
    torch.testing.assert_close(chunks, one_chunk, rtol=1e-5, atol=0)


class Results(TorchDispatchMode):
    """Remembers the size of the largest result and the dtypes of matrix products."""

    def __init__(self):
        super().__init__()
        self.largest = 0
        self.product_dtypes = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.numel())
        if function in (torch.ops.aten.mm.default, torch.ops.aten.mm.out):
            self.product_dtypes.add(result.dtype)
        return result


def test_never_holds_a_matrix_of_queries_by_candidates():
    users, items = torch.randn(200, 5), torch.randn(100, 5)
    with Results() as results:
        fused_softmax(
            users.requires_grad_(),
            items,
            torch.arange(200) % 100,
            temperature=1.0,
            log_q=torch.full((100,), -1.0),
            positive_log_q=torch.zeros(200),
            known=None,
            weight=torch.ones(200),
            exponent=1.0,
            positive_competes=True,
            chunk_rows=10,
        )
    # 200 users, filled up to 224, of 5 dimensions and 8 for their bias; all logits would be 200 x 100
    assert results.largest == 224 * 13


def test_products_are_in_bfloat16_under_autocast_alone():
    with Results() as plain:
        with_gradients(fused)
    with torch.autocast("cpu", torch.bfloat16), Results() as under_autocast:
        with_gradients(fused)
    assert plain.product_dtypes == {torch.float32}
    assert under_autocast.product_dtypes == {torch.bfloat16}


@pytest.mark.gpu
def test_cuda_equals_cpu():
    def on_cuda(users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return fused_softmax(
            users.cuda(),
            items.cuda(),
            POSITIVE_AT.cuda(),
            temperature=0.7,
            log_q=LOG_Q.cuda(),
            positive_log_q=torch.zeros(37, device="cuda"),
            known=KNOWN.cuda(),
            weight=WEIGHT.cuda(),
            exponent=1.0,
            positive_competes=True,
            chunk_rows=10,
        )

    for got, want in zip(with_gradients(on_cuda), with_gradients(fused)):
        torch.testing.assert_close(got.cpu(), want, atol=1e-5, rtol=1e-4)
