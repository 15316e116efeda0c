"""PCGrad by hand, and against the loop of the paper. Losses g . p have the gradient g."""

import pytest
import torch
from torch import nn

from recsys.balance.pcgrad import PCGrad, projection_counts

CONFLICT = ((1.0, 0.0), (-1.0, 1.0))
"""Product -1. The first one becomes (1, 0) + 1/2 (-1, 1) = (1/2, 1/2), the second (-1, 1) + 1 (1, 0) = (0, 1): (1/2, 3/2) together."""
CIRCLE = ((1.0, 0.0, 0.1), (-0.6, 0.8, 0.0), (-0.5, -0.9, 0.2))
"""Each pair conflicts, so the order matters."""


def labels(rows):
    return tuple(f"label{number}" for number in range(len(rows)))


def losses(rows, shared):
    return {label: (torch.tensor(row) * shared).sum() for label, row in zip(labels(rows), rows)}


def trained_gradient(balance, rows):
    shared = nn.Parameter(torch.full((len(rows[0]),), 2.0))
    balance(losses(rows, shared), [shared]).backward()
    return shared.grad.tolist()


def by_the_paper(rows, orders):
    """Algorithm 1 of Yu et al., vector by vector."""
    total = torch.zeros(len(rows[0]), dtype=torch.float64)
    for number, order in enumerate(orders.tolist()):
        gradient = torch.tensor(rows[number], dtype=torch.float64)
        for other in order:
            reference = torch.tensor(rows[other], dtype=torch.float64)
            if other != number and gradient @ reference < 0:
                gradient = gradient - (gradient @ reference) / (reference @ reference) * reference
        total += gradient
    return total.tolist()


def test_conflicting_gradients_are_projected():
    assert trained_gradient(PCGrad(0, labels=labels(CONFLICT)), CONFLICT) == pytest.approx([0.5, 1.5])


def test_value_is_the_plain_sum():
    shared = nn.Parameter(torch.tensor([3.0, 5.0]))
    assert PCGrad(0, labels=labels(CONFLICT))(losses(CONFLICT, shared), [shared]).item() == 5  # 3 + (-3 + 5)


def test_gradients_that_agree_are_left_as_they_are():
    rows = ((1.0, 0.0), (0.7, 0.3))
    assert trained_gradient(PCGrad(0, labels=labels(rows)), rows) == torch.tensor(rows).sum(0).tolist()


def test_projection_spans_all_parameters():
    # as CONFLICT, with the two numbers in two parameters: one by one, (1) and (-1) would both vanish
    first, second = nn.Parameter(torch.ones(1, 1)), nn.Parameter(torch.ones(1))
    both = {"label0": first.sum(), "label1": second.sum() - first.sum()}
    PCGrad(0, labels=labels(CONFLICT))(both, [first, second]).backward()
    assert [first.grad.item(), second.grad.item()] == pytest.approx([0.5, 1.5])


def test_other_parameters_keep_their_plain_gradient():
    shared, head = nn.Parameter(torch.ones(2)), nn.Parameter(torch.tensor(1.0))
    given = losses(CONFLICT, shared)
    given["label1"] = given["label1"] + 7 * head
    PCGrad(0, labels=labels(CONFLICT))(given, [shared]).backward()
    assert head.grad.item() == 7
    assert shared.grad.tolist() == pytest.approx([0.5, 1.5])


def test_sparse_table_keeps_its_plain_gradient():
    shared, table = nn.Parameter(torch.ones(2)), nn.Embedding(3, 1, sparse=True)
    given = losses(CONFLICT, shared)
    given["label0"] = given["label0"] + 5 * table(torch.tensor([1])).sum()
    given["label1"] = given["label1"] - 2 * table(torch.tensor([1])).sum()
    PCGrad(0, labels=labels(CONFLICT))(given, [table.weight, shared]).backward()
    assert table.weight.grad.to_dense().flatten().tolist() == [0, 3, 0]
    assert shared.grad.tolist() == pytest.approx([0.5, 1.5])


def test_loss_without_gradient_changes_nothing():
    rows = (*CONFLICT, (0.0, 0.0))
    assert trained_gradient(PCGrad(0, labels=labels(rows)), rows) == pytest.approx([0.5, 1.5])


def test_without_shared_parameters_it_is_the_plain_sum():
    head = nn.Parameter(torch.tensor(3.0))
    value = PCGrad(0, labels=("a", "b"))({"a": 2 * head, "b": head.square()}, [])
    value.backward()
    assert (value.item(), head.grad.item()) == (15, 8)


@pytest.mark.parametrize("seed", range(5))
def test_three_gradients_are_projected_as_in_the_paper(seed):
    generator = torch.Generator().manual_seed(seed)
    orders = torch.rand(3, 3, generator=generator).argsort(1)
    rows = torch.tensor(CIRCLE, dtype=torch.float64)
    assert (projection_counts(rows @ rows.T, orders) @ rows).tolist() == pytest.approx(by_the_paper(CIRCLE, orders))


def test_gradient_that_was_turned_round_passes_itself_by():
    # at 0, 170 and 200 degrees: the first one ends at 110 degrees, against itself as it was
    angles = torch.tensor([0.0, 170.0, 200.0], dtype=torch.float64).deg2rad()
    rows, orders = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([[1, 2, 0]] * 3)
    assert (projection_counts(rows @ rows.T, orders) @ rows).tolist() == pytest.approx(by_the_paper(rows.tolist(), orders))


def test_order_changes_with_step_and_seed():
    def run(seed):
        balance = PCGrad(seed, labels=labels(CIRCLE))
        return [trained_gradient(balance, CIRCLE) for _ in range(6)]

    assert len({tuple(gradient) for gradient in run(0)}) > 1
    assert run(0) != run(1)
    assert run(0) == run(0)


def test_resumes_from_its_state():
    balance, resumed = PCGrad(0, labels=labels(CIRCLE)), PCGrad(0, labels=labels(CIRCLE))
    for _ in range(3):
        trained_gradient(balance, CIRCLE)
    resumed.load_state_dict(balance.state_dict())
    expected = [trained_gradient(balance, CIRCLE) for _ in range(4)]
    assert [trained_gradient(resumed, CIRCLE) for _ in range(4)] == expected


def test_telemetry_has_shares_and_cosines():
    balance = PCGrad(0, labels=("click", "buy"))
    shared = nn.Parameter(torch.tensor([1.0, 4.0]))
    given = losses(CONFLICT, shared)
    balance({"click": given["label0"], "buy": given["label1"]}, [shared])  # losses 1 and 3
    assert {name: value.item() for name, value in balance.telemetry.items()} == pytest.approx(
        {"loss_share/click": 0.25, "loss_share/buy": 0.75, "gradient_cosine/click_buy": -(0.5**0.5)}
    )


def test_evaluation_takes_the_sum_alone():
    balance = PCGrad(0, labels=("click", "buy")).eval()
    with torch.no_grad():
        assert balance({"click": torch.tensor(1.0), "buy": torch.tensor(3.0)}, [nn.Parameter(torch.ones(1))]).item() == 4
    assert set(balance.telemetry) == {"loss_share/click", "loss_share/buy"}
