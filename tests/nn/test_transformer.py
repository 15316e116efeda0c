import pytest
import torch
import torch.nn.functional as F

from recsys.errors import ConfigError
from recsys.nn.transformer import Block, CausalAttention


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
