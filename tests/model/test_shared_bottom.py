import torch
from torch.nn.functional import linear, relu

from recsys.model.shared_bottom import SharedBottom


def test_equals_the_formula(assembled, features):
    model = assembled(SharedBottom, [8], [6]).double()
    features = {column: values.double() if values.is_floating_point() else values for column, values in features.items()}
    bottom, hidden, last = model.bottom.layers[0], model.towers.hidden.layers[0], model.towers.last
    shared = relu(linear(model.input(features), bottom.weight[0], bottom.bias[0]))
    for head in range(5):
        expected = linear(relu(linear(shared, hidden.weight[head], hidden.bias[head])), last.weight[head], last.bias[head])
        torch.testing.assert_close(model.raw_outputs(features)[:, head], expected[:, 0])


def test_all_below_the_heads_is_shared(assembled, shared_names, declared_names):
    model = assembled(SharedBottom, [8], [8])
    assert declared_names(model) == shared_names(model)
    assert {name.split(".")[0] for name in declared_names(model)} == {"input", "bottom"}
