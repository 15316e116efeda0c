import torch

from recsys.nn.encoder import embedding_tables
from recsys.schema import Categorical, Schema, Statistics
from recsys.tower.embedding import EmbeddingTower


def test_the_id_alone_is_its_embedding():
    schema = Schema("u", "i", features=(Categorical("u", "user"),)).fitted({"u": Statistics("int64", size=5)})
    tables = embedding_tables(schema, schema.features, 3, sparse_from=99)
    tower = EmbeddingTower(0.0, schema=schema, features=schema.features, tables=tables, dim=3, id_dropout=0.0)
    assert torch.equal(tower({"u": torch.tensor([2, 4])}), tables["u"].weight[[2, 4]])
    assert [name for name, _ in tower.named_parameters()] == ["encoder.parts.u.table.weight"]


def test_parts_of_another_width_are_projected_and_all_are_summed(schema, item_features):
    features = schema.of("item")
    tables = embedding_tables(schema, features, 4, sparse_from=99)
    tower = EmbeddingTower(0.0, schema=schema, features=features, tables=tables, dim=4, id_dropout=0.0)
    assert set(tower.projections) == {"price", "image"}
    without = tower({**item_features, "image": torch.zeros(2, 2)})
    torch.testing.assert_close(tower(item_features) - without, tower.projections["image"](item_features["image"]))
