"""What every retrieval loss promises. Queries see items (1, 0), (0, 1), (1, 1), (-1, 1)."""

import pytest
import torch
from torch.nn.functional import pad

from recsys.errors import ConfigError
from recsys.loss.base import Negatives, RetrievalLoss, Temperature, weighted_mean
from recsys.loss.bce import BCE
from recsys.loss.bpr import BPR
from recsys.loss.bsl import BSL
from recsys.loss.ccl import CCL
from recsys.loss.gbce import GBCE
from recsys.loss.softmax import SampledSoftmax

LOSSES = {
    "bce": BCE(2.0, True),
    "bce uncorrected": BCE(2.0, False),
    "bpr": BPR(True),
    "bsl": BSL(0.5, 1.2),
    "ccl": CCL(-0.3, 3.0, correct_log_q=True),
    "gbce": GBCE(0.5),
    "softmax": SampledSoftmax(0.5, False, min_temperature=0.1, max_temperature=1.0, positive_is_sampled=False),
    "softmax of a sampled positive": SampledSoftmax(0.5, False, min_temperature=0.1, max_temperature=1.0, positive_is_sampled=True),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())

USERS = torch.tensor([[0.9, 0.2], [0.1, 0.7], [0.5, -0.4]])
ITEMS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 1.0]])
POSITIVE_AT = torch.tensor([0, 1, 0])
LOG_Q = torch.tensor([1.0, 0.5, 0.25, 0.8]).log()
WEIGHT = torch.tensor([1.0, 2.0, 0.5])


def gradients(loss: RetrievalLoss, known: torch.Tensor | None, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss, gradient of users, gradient of items."""
    users, items = USERS.clone().requires_grad_(), ITEMS.clone().requires_grad_()
    value = loss(users, items, POSITIVE_AT, log_q=LOG_Q, known=known, weight=weight)
    return value.detach(), *torch.autograd.grad(value, (users, items))


@every_loss
def test_loss_is_a_float32_scalar(loss):
    value, _, _ = gradients(loss, None, WEIGHT)
    assert value.shape == ()
    assert value.dtype == torch.float32


@every_loss
def test_loss_is_the_weighted_mean_of_single_queries(loss):
    alone = [gradients(loss, None, torch.eye(3)[query])[0] for query in range(3)]
    # weights 1, 2, 0.5 sum to 3.5
    expected = (alone[0] + 2 * alone[1] + 0.5 * alone[2]) / 3.5
    assert gradients(loss, None, WEIGHT)[0].item() == pytest.approx(expected.item(), rel=1e-5)


@every_loss
def test_query_without_weight_has_no_gradient(loss):
    _, grad_users, _ = gradients(loss, None, torch.tensor([1.0, 0.0, 1.0]))
    assert grad_users[1].tolist() == [0.0, 0.0]
    assert grad_users[[0, 2]].abs().sum(1).min() > 0


@every_loss
def test_no_weight_at_all_gives_zero_loss_and_gradient(loss):
    value, grad_users, grad_items = gradients(loss, None, torch.zeros(3))
    assert value.item() == 0
    assert grad_users.abs().sum().item() == 0
    assert grad_items.abs().sum().item() == 0


@every_loss
def test_known_pair_has_no_gradient(loss):
    # item 2 is known to every query, so nothing moves it; item 3 is known to query 0 alone
    known = torch.tensor([[0, 0, 1, 2], [2, 3, 2, 2]])
    _, _, grad_items = gradients(loss, known, WEIGHT)
    assert grad_items[2].tolist() == [0.0, 0.0]
    assert grad_items[3].abs().sum() > 0


@every_loss
def test_known_pairs_count_like_absent_items(loss):
    # query 0 without items 2 and 3 sees the same two candidates as if these had never been drawn
    known = torch.tensor([[0, 0], [2, 3]])
    masked = loss(USERS[:1], ITEMS, POSITIVE_AT[:1], log_q=LOG_Q, known=known, weight=WEIGHT[:1])
    absent = loss(USERS[:1], ITEMS[:2], POSITIVE_AT[:1], log_q=LOG_Q[:2], known=None, weight=WEIGHT[:1])
    assert masked.item() == pytest.approx(absent.item(), rel=1e-6)


@every_loss
def test_query_whose_negatives_are_all_known_stays_finite(loss):
    known = torch.tensor([[0, 0, 0], [1, 2, 3]])
    value, grad_users, grad_items = gradients(loss, known, WEIGHT)
    assert value.isfinite()
    assert grad_users.isfinite().all()
    assert grad_items.isfinite().all()


@every_loss
def test_gradients_are_the_derivatives(loss):
    known = torch.tensor([[0, 2], [3, 1]])

    def value(users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return loss(users, items, POSITIVE_AT, log_q=LOG_Q.double(), known=known, weight=WEIGHT.double())

    assert torch.autograd.gradcheck(value, (USERS.double().requires_grad_(), ITEMS.double().requires_grad_()))


@every_loss
def test_loss_under_autocast_is_near_that_of_float32(loss):
    expected, _, _ = gradients(loss, None, WEIGHT)
    with torch.autocast("cpu", torch.bfloat16):
        value, _, _ = gradients(loss, None, WEIGHT)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=0.02)


@every_loss
def test_loss_refuses_vectors_of_different_dim(loss):
    with pytest.raises(ValueError, match=r"same dim, got 3 and 2; let both towers end in the model's `dim`"):
        loss(torch.zeros(3, 3), ITEMS, POSITIVE_AT, log_q=LOG_Q, known=None, weight=WEIGHT)


@every_loss
def test_loss_refuses_too_few_positives(loss):
    with pytest.raises(ValueError, match=r"got 3 queries and 2 positives; pass positive_at \[Q\]"):
        loss(USERS, ITEMS, POSITIVE_AT[:2], log_q=LOG_Q, known=None, weight=WEIGHT)


@every_loss
def test_loss_refuses_log_q_of_other_items(loss):
    with pytest.raises(ValueError, match="got 4 items and 3; pass log_q of"):
        loss(USERS, ITEMS, POSITIVE_AT, log_q=LOG_Q[:3], known=None, weight=WEIGHT)


@every_loss
def test_one_step_downhill_raises_the_positive_above_a_negative(loss):
    _, grad_users, grad_items = gradients(loss, None, WEIGHT)
    before = (USERS[0] @ (ITEMS[0] - ITEMS[2])).item()
    users, items = USERS - 0.1 * grad_users, ITEMS - 0.1 * grad_items
    assert (users[0] @ (items[0] - items[2])).item() > before


def test_fixed_temperature_is_exact_and_has_no_parameter():
    temperature = Temperature(0.07, False, low=0.0, high=0.0)
    assert temperature() == 0.07
    assert list(temperature.parameters()) == []


def test_learnable_temperature_starts_at_its_value():
    assert Temperature(0.07, True, low=0.01, high=1.0)().item() == pytest.approx(0.07, rel=1e-5)


@pytest.mark.parametrize(("push", "bound"), [(1e3, 1.0), (-1e3, 0.01)])
def test_learnable_temperature_stays_within_its_bounds(push, bound):
    temperature = Temperature(0.07, True, low=0.01, high=1.0)
    with torch.no_grad():
        temperature.raw += push
    assert temperature().item() == pytest.approx(bound)


@pytest.mark.parametrize(("value", "learnable", "message"), [(0.0, False, "temperature is 0.0"), (2.0, True, "between its bounds")])
def test_temperature_refuses_impossible_values(value, learnable, message):
    with pytest.raises(ConfigError, match=message):
        Temperature(value, learnable, low=0.01, high=1.0)


def test_a_bound_of_0_is_refused_where_the_temperature_is_trained():
    with pytest.raises(ConfigError, match=r"0\.07.* 0\.0 and 1\.0"):
        Temperature(0.07, True, low=0.0, high=1.0)


def test_scores_of_16_bit_vectors_are_in_float32():
    vector = torch.tensor([[1.0, 1.0]], dtype=torch.bfloat16)
    items = torch.tensor([[0.0, 0.0], [256.0, 1.0]], dtype=torch.bfloat16)
    at, log_q = torch.tensor([0]), torch.zeros(2)
    negatives = Negatives(vector, items, positive_at=at, log_q=log_q, known=None, correct_log_q=False)
    assert negatives.scores.tolist() == [[-torch.inf, 257.0]]  # bfloat16 has 256 and 258 there


def test_weighted_mean_by_hand():
    # (3 * 1 + 5 * 3) / 4
    assert weighted_mean(torch.tensor([3.0, 5.0]), torch.tensor([1.0, 3.0])).item() == 4.5


@every_loss
@pytest.mark.parametrize("with_known", [False, True])
def test_candidates_that_fill_up_change_no_bit(loss, with_known):
    """A step on a device has candidates of fixed length: item 0, whose log q is +inf, stands behind the drawn ones."""
    generator = torch.Generator().manual_seed(5)
    users, items, weight = (torch.rand(shape, generator=generator) for shape in ((37, 8), (64, 8), (37,)))
    log_q = torch.rand(64, generator=generator).clamp(min=0.01).log()
    positive_at = torch.randint(64, (37,), generator=generator)
    known = torch.stack([torch.arange(37), (positive_at + 5) % 64]) if with_known else None

    def value_and_gradients(filled_up):
        users_, items_ = users.clone().requires_grad_(), pad(items, (0, 0, 0, filled_up), value=0.7).requires_grad_()
        q = pad(log_q, (0, filled_up), value=torch.inf)
        value = loss(users_, items_, positive_at, log_q=q, known=known, weight=weight)
        return value.detach(), *torch.autograd.grad(value, (users_, items_))

    value, of_users, of_items = value_and_gradients(0)
    padded, of_users_padded, of_items_padded = value_and_gradients(64)
    assert value.item() == padded.item()
    assert torch.equal(of_users, of_users_padded)
    assert torch.equal(of_items, of_items_padded[:64])
    assert not of_items_padded[64:].any()
