import pytest
import torch

from recsys.errors import ConfigError
from recsys.nn.encoder import embedding_tables
from recsys.schema import Categorical, Schema, Statistics
from recsys.tower.sequence import SequenceTower


@pytest.fixture
def tower(schema):
    torch.manual_seed(0)
    features = schema.of("user")
    tables = embedding_tables(schema, features, 4, sparse_from=99)
    built = SequenceTower(2, 2, expansion=2, dropout=0.1, schema=schema, features=features, tables=tables, dim=4, id_dropout=0.0).eval()
    torch.nn.init.normal_(built.start)
    return built


def test_every_position_equals_forward_on_each_prefix(tower, user_features):
    history = user_features["history"]
    everywhere = tower.every_position(user_features)
    assert len(everywhere) == (history != 0).sum()
    for vector, (row, seen) in zip(everywhere, (history != 0).nonzero()):
        prefix = history.clone()
        prefix[:, seen:] = 0
        torch.testing.assert_close(vector, tower({**user_features, "history": prefix})[row])


def test_every_position_has_the_gradient_of_forward_on_each_prefix(tower, user_features):
    history = user_features["history"]
    wanted = torch.randn(int((history != 0).sum()), 4)
    (tower.every_position(user_features) * wanted).sum().backward()
    got = {name: parameter.grad.clone() for name, parameter in tower.named_parameters() if parameter.grad is not None}
    tower.zero_grad()
    for vector, (row, seen) in zip(wanted, (history != 0).nonzero()):
        prefix = history.clone()
        prefix[:, seen:] = 0
        (tower({**user_features, "history": prefix})[row] * vector).sum().backward()
    assert {"positions", "start"} <= got.keys()
    for name, gradient in got.items():
        torch.testing.assert_close(gradient, tower.get_parameter(name).grad, atol=1e-5, rtol=1e-4, msg=name)


def test_a_training_window_reaches_the_query_of_a_full_history(tower, user_features):
    width = user_features["history"].shape[1]  # the schema's max_len
    window = torch.full((3, tower.window), 2)
    assert tower.window == width + 1
    tower.every_position({**user_features, "history": window}).square().sum().backward()
    assert (tower.positions.grad.abs().sum(1) > 0).all()


def test_padding_does_not_change_the_answer(tower, user_features):
    short = {
        **user_features,
        "history": user_features["history"][:1, :2],
        **{c: user_features[c][:1] for c in ("user_id", "age", "signup")},
    }
    torch.testing.assert_close(tower(short), tower(user_features)[:1])


def test_order_of_the_history_matters(tower, user_features):
    swapped = {**user_features, "history": user_features["history"][:, [1, 0, 2]]}
    assert (tower(swapped)[:2] != tower(user_features)[:2]).any(1).all()


def test_empty_history_answers_from_side_features(tower, user_features):
    older = {**user_features, "age": torch.tensor([50.0, 30.0, 70.0])}
    assert tower(user_features)[2].isfinite().all()
    assert (tower(older)[2] != tower(user_features)[2]).any()


def test_a_schema_without_history_is_refused_with_the_remedy():
    schema = Schema("u", "i", features=(Categorical("u", "user"),)).fitted({"u": Statistics("int64", size=5)})
    tables = embedding_tables(schema, schema.features, 4, sparse_from=99)
    with pytest.raises(ConfigError, match=r"needs a History feature, got none[\s\S]*add one, or set tower@model\.user=mlp"):
        SequenceTower(1, 1, expansion=1, dropout=0.0, schema=schema, features=schema.features, tables=tables, dim=4, id_dropout=0.0)
