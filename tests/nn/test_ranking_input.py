from dataclasses import replace
from functools import partial

import pytest
import torch

from recsys.errors import ConfigError
from recsys.nn.cross import CrossNetwork
from recsys.nn.ranking_input import RankingInput
from recsys.nn.target_attention import TargetAttention
from recsys.schema import Categorical, Numeric, Schema, Statistics

PLAIN = 4 + 1 + 16 + 4 + 4 + 9 + 4 + 2
"""Widths of user_id, age, signup, history, item_id, price, tags, image with embeddings of 4."""


@pytest.fixture
def features(user_features, item_features):
    return {**user_features, **{column: values[[0, 1, 0]] for column, values in item_features.items()}}


def built(schema, *, id_dropout=0.0, fm=False, cross=None, attention=None):
    torch.manual_seed(0)
    return RankingInput(4, id_dropout, sparse_from=99, fm=fm, cross=cross, attention=attention, schema=schema)


def test_features_of_all_entities_stand_side_by_side_but_no_bias(schema, features):
    wider = replace(
        schema,
        features=(*schema.features, Categorical("device", "context"), Categorical("position", "bias")),
        statistics={**schema.statistics, "device": Statistics("string", size=4), "position": Statistics("int64", size=5)},
    )
    rows = built(wider)
    assert rows.out_dim == PLAIN + 4
    encoded = rows({**features, "device": torch.tensor([2, 3, 1])})
    assert encoded.shape == (3, PLAIN + 4)
    assert torch.equal(encoded[:, PLAIN:], rows.encoder.parts["device"].table.weight[[2, 3, 1]])


def test_history_reads_the_table_of_the_items(schema):
    parts = built(schema).encoder.parts
    assert parts["history"].table is parts["item_id"].table


def test_fm_multiplies_the_pairs_of_embedded_columns(schema, features):
    rows = built(schema, fm=True)
    encoded = rows(features)
    assert encoded.shape[1] == rows.out_dim == PLAIN + 4
    user, history, item, tags = encoded[:, :4], encoded[:, 21:25], encoded[:, 25:29], encoded[:, 38:42]
    pairs = user * history + user * item + user * tags + history * item + history * tags + item * tags
    torch.testing.assert_close(encoded[:, PLAIN:], pairs)


def test_attention_pools_the_history_towards_the_item_of_the_row(schema, features):
    rows = built(schema, attention=partial(TargetAttention, [3]))
    encoded = rows(features)
    assert encoded.shape[1] == rows.out_dim == PLAIN
    table = rows.encoder.parts["item_id"].table.weight
    index = features["history"]
    expected = rows.attentions[0](table[features["item_id"]], table[index], index != 0)
    torch.testing.assert_close(encoded[:, PLAIN - 4 :], expected)
    assert expected[:2].abs().min() > 0
    assert encoded[2, PLAIN - 4 :].tolist() == [0.0] * 4  # no history


def test_fm_takes_the_attended_history(schema, features):
    rows = built(schema, fm=True, attention=partial(TargetAttention, [3]))
    encoded = rows(features)
    user, item, tags, history = encoded[:, :4], encoded[:, 21:25], encoded[:, 34:38], encoded[:, PLAIN - 4 : PLAIN]
    pairs = user * history + user * item + user * tags + history * item + history * tags + item * tags
    torch.testing.assert_close(encoded[:, PLAIN:], pairs)


def test_item_taken_for_unknown_is_no_target_either(schema, features):
    rows = built(schema, id_dropout=0.999999, attention=partial(TargetAttention, [3]))
    forgotten = rows.train()(features)[:, PLAIN - 4 :]
    unknown = rows.eval()({**features, "item_id": torch.ones(3, dtype=torch.int64)})[:, PLAIN - 4 :]
    torch.testing.assert_close(forgotten, unknown)
    assert (rows(features)[0, PLAIN - 4 :] != unknown[0]).all()


def test_cross_reads_the_concatenation(schema, features):
    rows = built(schema, fm=True, cross=partial(CrossNetwork, 2, 3))
    without = built(schema, fm=True)  # the same tables: the same seed draws them first
    torch.testing.assert_close(rows(features), rows.cross(without(features)))
    assert (rows(features) != without(features)).any()


def test_one_row_equals_its_part_of_the_batch(schema, features):
    rows = built(schema, fm=True, cross=partial(CrossNetwork, 1, None), attention=partial(TargetAttention, [3]))
    one = {column: values[2:] for column, values in features.items()}
    torch.testing.assert_close(rows(one), rows(features)[2:])


def test_part_without_columns_for_it_is_refused_with_the_remedy():
    schema = Schema("u", "i", features=(Numeric("x", "user"), Categorical("i", "item")))
    schema = schema.fitted({"x": Statistics("float32"), "i": Statistics("int64", size=4)})
    with pytest.raises(ConfigError, match=r"the features have 1\n.*where: fm\n.*false") as error:
        built(schema, fm=True, attention=partial(TargetAttention, [3]))
    assert [fault.where for fault in error.value.faults] == ["fm", "attention"]
    with pytest.raises(ConfigError, match="no feature of user, item or context"):
        built(Schema("u", "i"))
