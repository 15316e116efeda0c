from functools import partial

import pytest
import torch

from recsys.model.two_tower import TwoTower
from recsys.tower.embedding import EmbeddingTower
from recsys.tower.mlp import MLPTower
from recsys.tower.sequence import SequenceTower


def model(schema, *, normalize=True, share_item_table=True, user=None, id_dropout=0.0):
    return TwoTower(
        user or partial(MLPTower, [8], 0.0),
        partial(MLPTower, [8], 0.0),
        dim=4,
        embedding_dim=4,
        normalize=normalize,
        share_item_table=share_item_table,
        id_dropout=id_dropout,
        sparse_from=99,
        schema=schema,
    )


def test_normalized_vectors_have_length_one(schema, user_features, item_features):
    towers = model(schema)
    assert towers.users(user_features).norm(dim=1).tolist() == pytest.approx([1.0] * 3)
    assert towers.items(item_features).norm(dim=1).tolist() == pytest.approx([1.0] * 2)


def test_dot_products_are_not_normalized(schema, user_features):
    towers = model(schema, normalize=False)
    torch.testing.assert_close(towers.users(user_features), towers.user_tower(user_features))


def test_history_reads_the_item_tower_table_only_when_shared(schema):
    for shared in (True, False):
        towers = model(schema, share_item_table=shared)
        history, item = towers.user_tower.encoder.parts["history"].table, towers.item_tower.encoder.parts["item_id"].table
        assert (history is item) == shared


def test_positions_of_a_sequence_are_in_the_same_space(schema, user_features):
    towers = model(schema, user=partial(SequenceTower, 1, 1, expansion=1, dropout=0.0)).eval()
    everywhere = towers.users_at_every_position(user_features)
    prefix = user_features["history"].clone()
    prefix[:, 1:] = 0
    second = (user_features["history"] != 0).nonzero()[:, 1] == 1  # of the positions, those after one item
    torch.testing.assert_close(everywhere[second], towers.users({**user_features, "history": prefix})[:2])


def test_catalogue_is_a_zero_row_and_every_item_without_dropout(schema, item_features):
    towers = model(schema, id_dropout=0.9).train()
    catalogue = towers.catalogue({column: torch.cat([values[:1], values]) for column, values in item_features.items()})
    assert towers.training
    assert catalogue.shape == (3, 4)
    assert catalogue[0].tolist() == [0.0] * 4
    torch.testing.assert_close(catalogue[1:], towers.eval().items(item_features))


def test_unknown_value_becomes_the_mean_of_the_known_ones_where_training_reads_none(schema):
    towers = model(schema)
    table = towers.item_tower.encoder.parts["item_id"].table
    before = table.weight.detach().clone()
    towers.fill_unknown({"item_id"})
    torch.testing.assert_close(table.weight[1], before[2:].mean(0))
    assert torch.equal(table.weight[[0, *range(2, len(before))]], before[[0, *range(2, len(before))]])
    others = [
        part.table.weight for column, part in towers.user_tower.encoder.parts.items() if hasattr(part, "table") and column != "history"
    ]
    assert others
    assert all((weight[1] - weight[2:].mean(0)).abs().max() > 1e-3 for weight in others)


def test_unknown_id_that_dropout_trains_is_left_alone(schema):
    towers = model(schema, id_dropout=0.1)
    table = towers.item_tower.encoder.parts["item_id"].table
    before = table.weight.detach().clone()
    towers.fill_unknown({"item_id"})
    assert torch.equal(table.weight, before)


USER_TOWERS = {
    "embedding": partial(EmbeddingTower, 0.1),
    "mlp": partial(MLPTower, [8], 0.1),
    "sequence": partial(SequenceTower, 1, 1, expansion=1, dropout=0.1),
}


@pytest.mark.parametrize("name", USER_TOWERS)
def test_towers_are_one_graph_each_on_a_device(schema, user_features, item_features, name):
    """torch.compile takes them whole, gradients included. The device is `meta`, which takes the branches of a GPU and computes nothing."""
    towers = model(schema, user=USER_TOWERS[name], id_dropout=0.1).to("meta").train()
    for tower, features in ((towers.users, user_features), (towers.items, item_features)):
        explained = torch._dynamo.explain(tower)({column: values.to("meta") for column, values in features.items()})
        assert (explained.graph_count, explained.graph_break_count) == (1, 0), explained.break_reasons
