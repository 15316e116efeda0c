import torch

from recsys.nn.mlp import MLP


def test_layers_by_hand():
    network = MLP(2, [2], out_dim=1)
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
        network.layers[0].bias.zero_()
        network.layers[-1].weight.copy_(torch.tensor([[2.0, 3.0]]))
        network.layers[-1].bias.fill_(0.5)
    # relu([1, -2]) = [1, 0] -> 2.5; relu([-1, 4]) = [0, 4] -> 12.5
    assert network(torch.tensor([[1.0, 2.0], [-1.0, -4.0]])).tolist() == [[2.5], [12.5]]
