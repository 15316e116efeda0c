import math
from datetime import UTC, datetime, timedelta

import onnxruntime
import pytest
import torch
from torch import nn

from recsys.nn.encoder import ByColumn, Encoder, embedding_tables
from recsys.schema import Numeric, Schema, Statistics, Timestamp


@pytest.fixture
def users(schema):
    features = schema.of("user")
    return Encoder(schema, features, tables=embedding_tables(schema, features, 4, sparse_from=1_000))


@pytest.fixture
def items(schema):
    features = schema.of("item")
    return Encoder(schema, features, tables=embedding_tables(schema, features, 4, sparse_from=1_000))


def test_widths_follow_the_declared_order(users, items):
    assert users.widths == {"user_id": 4, "age": 1, "signup": 16, "history": 4}
    assert items.widths == {"item_id": 4, "price": 9, "tags": 4, "image": 2}
    assert items.out_dim == 19


def test_numbers_are_standardised_and_a_missing_one_is_the_mean(users, user_features):
    # (50 - 40) / 10, (30 - 40) / 10, mean
    assert users(user_features)[:, 4].tolist() == pytest.approx([1.0, -1.0, 0.0])


def test_log_numbers_are_standardised_after_the_log(items, item_features):
    expected = [(math.log1p(4) - 1) / 2, (math.log1p(9) - 1) / 2]
    assert items(item_features)[:, 4].tolist() == pytest.approx(expected)


def test_fill_stands_for_a_missing_number():
    schema = Schema("u", "i", features=(Numeric("x", "user", log=True, fill=0.0),)).fitted({"x": Statistics("float32", mean=1.0, std=2.0)})
    encoder = Encoder(schema, schema.features, tables=embedding_tables(schema, schema.features, 4, sparse_from=9))
    assert encoder({"x": torch.tensor([float("nan")])}).item() == pytest.approx((0.0 - 1.0) / 2.0)


def test_quantile_bucket_of_the_raw_value(items, item_features):
    buckets = items.parts["price"].buckets.weight
    encoded = items(item_features)[:, 5:13]
    assert torch.equal(encoded, buckets[[0, 1]])  # 4 < 5 <= 9


def test_value_at_a_boundary_is_in_the_bucket_above_it(items, item_features):
    buckets = items.parts["price"].buckets.weight
    assert torch.equal(items({**item_features, "price": torch.tensor([5.0, 4.9])})[:, 5:13], buckets[[1, 0]])


def test_history_of_one_entry_is_that_entry(users, user_features):
    history = users({**user_features, "history": torch.tensor([[4, 0, 0]] * 3)})[:, 21:]
    torch.testing.assert_close(history[0], users.parts["history"].table.weight[4])


def test_history_is_the_mean_of_real_entries_only(users, user_features):
    table = users.parts["history"].table.weight
    history = users(user_features)[:, 21:]
    torch.testing.assert_close(history[0], (table[2] + table[5]) / 2)
    torch.testing.assert_close(history[1], (table[3] + table[2] + table[4]) / 3)
    assert history[2].tolist() == [0.0] * 4


def test_clock_reads_utc_hour_and_weekday(users, user_features):
    clock = users.parts["signup"]
    encoded = users(user_features)[:, 5:21]
    # epoch 0 is Thursday 00:00; 30 h later Friday 06:00; 4 days later Monday 00:00 (weekday 0)
    assert torch.equal(encoded[:, :8], clock.hour.weight[[0, 6, 0]])
    assert torch.equal(encoded[:, 8:], clock.weekday.weight[[3, 4, 0]])


def test_padding_row_stays_zero_after_a_step(users, user_features):
    optimizer = torch.optim.SGD(users.parameters(), lr=1.0)
    users(user_features).sum().backward()
    optimizer.step()
    assert users.parts["history"].table.weight[0].abs().sum() == 0


def test_only_large_tables_get_sparse_gradients(schema):
    tables = embedding_tables(schema, schema.features, 4, sparse_from=6)
    assert {column: table.sparse for column, table in tables.items()} == {"user_id": False, "item_id": True, "tags": False}


def test_forgotten_ids_are_unknown_in_training_only(schema, item_features):
    torch.manual_seed(0)
    features = schema.of("item")
    encoder = Encoder(schema, features, tables=embedding_tables(schema, features, 4, sparse_from=99), id_dropout=0.25)
    table = encoder.parts["item_id"].table.weight
    many = {column: values[:1].repeat_interleave(4_000, 0) for column, values in item_features.items()}
    rows = encoder(many)
    unknown = (rows[:, :4] == table[1]).all(1)
    assert unknown.float().mean().item() == pytest.approx(0.25, abs=0.035)  # 5 standard errors
    assert (rows[~unknown, :4] == table[2]).all()
    assert (rows[:, 4:] == rows[0, 4:]).all()  # only the id is forgotten
    encoder.eval()
    assert (encoder(many)[:, :4] == table[2]).all()


def test_hour_and_weekday_are_those_of_the_calendar_in_the_exported_graph(tmp_path):
    moments = [
        datetime(2024, 2, 29, 23, 59, 59),
        datetime(2025, 1, 6, 0, 0, 0),
        datetime(2033, 5, 18, 3, 33, 19),
        datetime(1969, 12, 31, 23),
    ]
    moments += [datetime(2030, 1, 1) + timedelta(hours=hour, seconds=-1) for hour in range(200)]
    seconds = torch.tensor([int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments])
    clock = (
        Encoder(Schema("u", "i", features=(Timestamp("t", "user"),)), (Timestamp("t", "user"),), tables=nn.ModuleDict()).parts["t"].eval()
    )
    hour, weekday = (torch.tensor([[read(moment)] for moment in moments]) for read in (lambda m: m.hour, lambda m: m.weekday()))
    want = torch.cat([clock.hour(hour)[:, 0], clock.weekday(weekday)[:, 0]], 1)
    torch.testing.assert_close(clock(seconds), want)
    batch = torch.export.Dim.DYNAMIC
    torch.onnx.export(clock, (seconds[:2],), tmp_path / "clock.onnx", dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "clock.onnx")
    (got,) = session.run(None, {session.get_inputs()[0].name: seconds.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), want.detach())


NAMES = ["type", "items", "training", "user.age", "price", "weight%"]


def test_every_column_name_is_taken():
    modules = {name: nn.Linear(1, 1) for name in NAMES}
    by_column = ByColumn(modules)
    assert [*by_column] == NAMES
    assert dict(by_column.items()) == modules
    assert all(by_column[name] is modules[name] for name in NAMES)
    assert "items" in by_column
    assert "user" not in by_column


def test_ordinary_names_are_those_of_the_weights():
    assert [*ByColumn({"price": nn.Linear(1, 1, bias=False)}).state_dict()] == ["price.weight"]


def test_weights_go_through_a_state(tmp_path):
    one, other = (ByColumn({name: nn.Linear(1, 1) for name in NAMES}) for _ in range(2))
    torch.save(one.state_dict(), tmp_path / "state")
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert all(torch.equal(one[name].weight, other[name].weight) for name in NAMES)


def test_an_unknown_column_is_a_key_error():
    with pytest.raises(KeyError):
        ByColumn({"price": nn.Identity()})["prize"]


def test_a_module_of_two_columns_stands_for_each():
    shared = nn.Identity()
    assert ByColumn({"one": shared, "other": shared}).values() == [shared, shared]
