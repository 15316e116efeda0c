import pytest
import torch

from recsys.errors import ConfigError
from recsys.nn.mlp import MLP, Dropout


def test_layers_by_hand():
    network = MLP(2, [2], out_dim=1)
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
        network.layers[0].bias.zero_()
        network.layers[-1].weight.copy_(torch.tensor([[2.0, 3.0]]))
        network.layers[-1].bias.fill_(0.5)
    # relu([1, -2]) = [1, 0] -> 2.5; relu([-1, 4]) = [0, 4] -> 12.5
    assert network(torch.tensor([[1.0, 2.0], [-1.0, -4.0]])).tolist() == [[2.5], [12.5]]


def test_share_left_out_and_scale_match_the_probability():
    torch.manual_seed(0)
    out = Dropout(0.2)(torch.ones(1_000_003))
    # 0.2 rounds to 51/256; 5 standard errors of a share over 1M draws are 0.002
    assert (out == 0).float().mean().item() == pytest.approx(51 / 256, abs=0.002)
    assert out.unique().tolist() == pytest.approx([0.0, 256 / 205])
    assert out.mean().item() == pytest.approx(1.0, abs=0.003)


def test_neighbouring_entries_are_independent():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(1_000_000)) != 0).view(-1, 8).float()
    correlation = torch.corrcoef(kept.T) - torch.eye(8)
    assert correlation.abs().max().item() < 0.015  # 5 standard errors over 125,000 rows


def test_nothing_is_left_out_in_evaluation():
    layer = Dropout(0.9).eval()
    values = torch.randn(10)
    assert torch.equal(layer(values), values)


def test_gradient_flows_through_kept_entries_only():
    torch.manual_seed(0)
    values = torch.ones(64, requires_grad=True)
    out = Dropout(0.5)(values)
    out.sum().backward()
    assert torch.equal(values.grad, out.detach())


def test_a_probability_of_one_is_refused():
    with pytest.raises(ConfigError, match=r"dropout is 1\.0"):
        Dropout(1.0)
