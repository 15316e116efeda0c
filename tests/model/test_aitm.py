from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import linear, relu

from recsys.model.aitm import AITM
from recsys.nn.ranking_input import RankingInput


def attended(transfer, given, own):
    """One row at a time: softmax over two tokens of <query, key> / sqrt(D)."""
    rows = []
    for message, state in zip(relu(transfer.message(given)), own):
        value, query, key = [torch.stack([message, state]) @ w.T + b for w, b in zip(*chunks(transfer.projection))]
        scores = torch.stack([query[0] @ key[0], query[1] @ key[1]]) / 8**0.5
        weights = scores.exp() / scores.exp().sum()
        rows.append(weights[0] * value[0] + weights[1] * value[1])
    return torch.stack(rows)


def chunks(layer):
    return layer.weight.split(8), layer.bias.split(8)


def test_information_passes_down_the_funnel(assembled, features):
    model = assembled(AITM, [8])
    networks, last = model.networks.layers[0], model.towers.last
    rows = model.input(features)
    click, basket, conversion, rating, imputation = [relu(linear(rows, networks.weight[n], networks.bias[n])) for n in range(5)]
    basket = attended(model.transfers[0], click, basket)
    conversion = attended(model.transfers[1], basket, conversion)
    states = [click, basket, conversion, rating, imputation]
    expected = torch.cat([linear(state, last.weight[n], last.bias[n]) for n, state in enumerate(states)], dim=1)
    torch.testing.assert_close(model.raw_outputs(features), expected)


def test_network_of_a_label_serves_those_down_the_funnel(assembled, head_gradients):
    gradients = head_gradients(assembled(AITM, [8]))["networks.layers.0.weight"]
    reached = {head: (slope.abs().sum((1, 2)) > 0).nonzero().flatten().tolist() for head, slope in gradients.items()}
    assert reached == {"click": [0], "basket": [0, 1], "conversion": [0, 1, 2], "rating": [3], "conversion/imputation": [4]}


def test_transfer_is_shared_where_others_are_given_its_label(assembled, shared_names, declared_names):
    model = assembled(AITM, [8])
    assert declared_names(model) == shared_names(model)
    assert {name.rsplit(".", 2)[0] for name in declared_names(model) if "transfers" in name} == {"transfers.0"}


def test_without_a_funnel_only_the_input_is_shared(funnel, declared_names, shared_names):
    schema = replace(funnel, labels=(funnel.labels[0], funnel.labels[3]))
    torch.manual_seed(0)
    rows = partial(RankingInput, 4, 0.0, sparse_from=99, fm=False, cross=None, attention=None)
    model = AITM([8], 0.0, input=rows, bias_dropout=0.0, schema=schema, heads=("click", "rating"))
    assert declared_names(model) == shared_names(model)
    assert {name.split(".")[0] for name in declared_names(model)} == {"input"}
