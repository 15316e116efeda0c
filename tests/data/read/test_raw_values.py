import torch

from recsys.data.read.raw_values import raw_values
from recsys.data.read.rows import EvaluationUsers


def test_values_are_those_of_the_tables(store):
    users = EvaluationUsers(store, "test")
    told = raw_values(store, users.batch(torch.arange(len(users))).features)
    assert told[0]["user"] == "ann"
    assert told[0]["age"] == 20.0
    assert told[0]["signup"] == "2024-01-01 00:00"


def test_what_training_never_saw_is_none(store):
    column = next(feature.column for feature in store.schema.of("user"))
    assert raw_values(store, {column: torch.tensor([1])}) == [{column: None}]
