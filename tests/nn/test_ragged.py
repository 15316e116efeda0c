import pytest
import torch

from recsys.nn import ragged
from recsys.nn.ragged import Ragged

LENGTH = torch.tensor([2, 5, 1, 3, 5, 4])


def running_squares(group: torch.Tensor) -> torch.Tensor:
    """Causal, not linear, and [b, t, 2] -> [b, t, 1]."""
    return group.square().cumsum(1).sum(2, keepdim=True)


def one_by_one(tokens: torch.Tensor) -> torch.Tensor:
    return torch.cat([running_squares(sequence[None])[0] for sequence in tokens.split(LENGTH.tolist())])


@pytest.mark.parametrize("group", [1, 2, 6, 100])
def test_grouped_equals_one_sequence_at_a_time_with_its_gradient(group, monkeypatch):
    monkeypatch.setattr(ragged, "CPU_GROUP", group)
    tokens = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.arange(20.0)[:, None]
    got, want = Ragged(LENGTH).grouped(tokens, running_squares), one_by_one(tokens)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(torch.autograd.grad((got * weight).sum(), tokens), torch.autograd.grad((want * weight).sum(), tokens))


def test_a_group_is_as_wide_as_its_longest_sequence(monkeypatch):
    monkeypatch.setattr(ragged, "CPU_GROUP", 2)
    shapes = []
    Ragged(LENGTH).grouped(torch.zeros(20, 1), lambda group: shapes.append(tuple(group.shape)) or group)
    assert shapes == [(2, 2, 1), (2, 4, 1), (2, 5, 1)]
