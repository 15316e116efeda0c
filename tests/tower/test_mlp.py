import torch

from recsys.nn.encoder import embedding_tables
from recsys.tower.mlp import MLPTower


def tower(schema, hidden):
    features = schema.of("user")
    return MLPTower(
        hidden, 0.0, schema=schema, features=features, tables=embedding_tables(schema, features, 4, sparse_from=99), dim=3, id_dropout=0.0
    )


def test_one_vector_per_row(schema, user_features):
    assert tower(schema, [8])(user_features).shape == (3, 3)


def test_every_feature_reaches_the_vector(schema, user_features):
    built = tower(schema, [8]).eval()
    before = built(user_features)
    changes = {"user_id": torch.tensor([4, 4, 4]), "age": torch.tensor([1.0, 2.0, 3.0]), "signup": user_features["signup"] + 7 * 3_600}
    for column, values in changes.items():
        assert (built({**user_features, column: values}) != before).any(1).all(), column
    assert (built({**user_features, "history": torch.full((3, 3), 3)}) != before).any(1).all()


def test_no_hidden_layer_is_one_linear_map(schema, user_features):
    built = tower(schema, [])
    torch.testing.assert_close(built(user_features), built.mlp.layers[0](built.encoder(user_features)))
    assert len(built.mlp.layers) == 1
