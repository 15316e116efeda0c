import pytest
import torch
import torch.nn.functional as F

from recsys.errors import ConfigError
from recsys.nn import transformer
from recsys.nn.transformer import Block, CausalAttention, Ragged


def test_attention_equals_the_formula():
    torch.manual_seed(0)
    attention = CausalAttention(4, heads=2)
    tokens = torch.randn(1, 3, 4)
    q, k, v = attention.qkv(tokens)[0].split(4, dim=1)
    expected = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = q[:, head] @ k[:, head].T / 2**0.5
        scores = scores.masked_fill(torch.ones(3, 3).triu(1).bool(), float("-inf"))
        expected.append(F.softmax(scores, dim=1) @ v[:, head])
    torch.testing.assert_close(attention(tokens)[0], attention.out(torch.cat(expected, dim=1)))


def test_a_token_never_sees_later_ones():
    torch.manual_seed(0)
    block = Block(4, heads=1, expansion=2, dropout=0.0)
    tokens = torch.randn(1, 4, 4, requires_grad=True)
    block(tokens)[0, 1].sum().backward()
    assert tokens.grad[0, 2:].abs().sum() == 0
    assert (tokens.grad[0, :2].abs().sum(1) > 0).all()


def test_heads_that_do_not_divide_dim_are_refused():
    with pytest.raises(ConfigError, match="heads must divide dim, got dim 6 and heads 4"):
        CausalAttention(6, heads=4)


LENGTH = torch.tensor([2, 5, 1, 3, 5, 4])


def running_squares(group: torch.Tensor) -> torch.Tensor:
    """Causal, not linear, and [b, t, 2] -> [b, t, 1]."""
    return group.square().cumsum(1).sum(2, keepdim=True)


def one_by_one(tokens: torch.Tensor) -> torch.Tensor:
    return torch.cat([running_squares(sequence[None])[0] for sequence in tokens.split(LENGTH.tolist())])


@pytest.mark.parametrize("group", [1, 2, 6, 100])
def test_grouped_equals_one_sequence_at_a_time_with_its_gradient(group, monkeypatch):
    monkeypatch.setattr(transformer, "CPU_GROUP", group)
    tokens = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.arange(20.0)[:, None]
    got, want = Ragged(LENGTH).grouped(tokens, running_squares), one_by_one(tokens)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(torch.autograd.grad((got * weight).sum(), tokens), torch.autograd.grad((want * weight).sum(), tokens))


def test_a_group_is_as_wide_as_its_longest_sequence(monkeypatch):
    monkeypatch.setattr(transformer, "CPU_GROUP", 2)
    shapes = []
    Ragged(LENGTH).grouped(torch.zeros(20, 1), lambda group: shapes.append(tuple(group.shape)) or group)
    assert shapes == [(2, 2, 1), (2, 4, 1), (2, 5, 1)]
