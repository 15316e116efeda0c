import pytest
import torch
from torch.nn.functional import linear, relu

from recsys.errors import ConfigError
from recsys.model.ple import PLE


def by_formula(model, rows, *, num_own, num_shared):
    """Heads' streams, expert by expert and gate by gate as in the paper: a gate has only the experts it mixes."""
    num_heads = len(model.heads)
    streams = [rows] * (num_heads + 1)
    for level in model.levels:
        layer, gates = level.experts.layers[0], level.gates
        groups, at = [], 0  # experts of each stream, the shared ones last
        for stream, count in zip(streams, [num_own] * num_heads + [num_shared]):
            groups.append({at + i: relu(linear(stream, layer.weight[at + i], layer.bias[at + i])) for i in range(count)})
            at += count
        mixed = []
        for gate in range(len(gates.weight)):
            seen = {**groups[gate], **groups[-1]} if gate < num_heads else {n: out for group in groups for n, out in group.items()}
            logits = linear(streams[gate], gates.weight[gate, list(seen)], gates.bias[gate, list(seen)])
            weights = logits.exp() / logits.exp().sum(1, keepdim=True)
            mixed.append(sum(weights[:, [i]] * output for i, output in enumerate(seen.values())))
        streams = mixed
    return streams


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_equals_the_formula(assembled, features, levels):
    model = assembled(PLE, 2, 1, expert_hidden=[8], levels=levels, tower_hidden=[])
    streams = by_formula(model, model.input(features), num_own=1, num_shared=2)
    last = model.towers.last
    assert len(streams) == 5  # no shared stream after the last level
    expected = torch.cat([linear(stream, last.weight[head], last.bias[head]) for head, stream in enumerate(streams)], dim=1)
    torch.testing.assert_close(model.raw_outputs(features), expected)


def test_own_experts_of_the_last_level_serve_one_head(assembled, head_gradients):
    gradients = head_gradients(assembled(PLE, 1, 2, expert_hidden=[8], levels=2, tower_hidden=[]))
    weight = gradients["levels.1.experts.layers.0.weight"]["basket"]  # experts 2 and 3 are of head 1, expert 10 is shared
    assert weight.abs().sum((1, 2)).nonzero().flatten().tolist() == [2, 3, 10]
    first = gradients["levels.0.experts.layers.0.weight"]["basket"]
    assert (first.abs().sum((1, 2)) > 0).all()  # the shared stream mixes all


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_last_gates_and_towers_are_not_shared(assembled, shared_names, declared_names, levels):
    model = assembled(PLE, 2, 1, expert_hidden=[8, 8], levels=levels, tower_hidden=[8])
    assert declared_names(model) == shared_names(model)
    assert "levels.0.experts.layers.0.weight" in declared_names(model)
    assert ("levels.0.gates.weight" in declared_names(model)) == (levels > 1)


def test_no_level_is_refused(assembled):
    with pytest.raises(ConfigError, match="levels is 0"):
        assembled(PLE, 2, 1, expert_hidden=[8], levels=0, tower_hidden=[8])
