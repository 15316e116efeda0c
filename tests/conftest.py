"""Small fixtures shared by tests: a schema with every feature kind, fitted by hand."""

from dataclasses import asdict, replace

import pytest
import torch

from recsys.schema import Categorical, History, MultiCategorical, Numeric, Schema, Statistics, Timestamp, Vector
from recsys.sweep.plugins import register

register()  # as train.py does, so that conf can be composed


@pytest.fixture
def schema() -> Schema:
    """Users 2..4 and items 2..5 are known; every kind of feature occurs once or twice."""
    return Schema(
        user="user_id",
        item="item_id",
        time="time",
        features=(
            Categorical("user_id", "user"),
            Numeric("age", "user"),
            Timestamp("signup", "user"),
            History("history", "user", of="item_id", max_len=3),
            Categorical("item_id", "item"),
            Numeric("price", "item", log=True, quantiles=2),
            MultiCategorical("tags", "item", max_len=2),
            Vector("image", "item"),
        ),
    ).fitted(
        {
            "user_id": Statistics("int64", size=5),
            "age": Statistics("float32", mean=40.0, std=10.0),
            "signup": Statistics("int64"),
            "history": Statistics("string", size=6),
            "item_id": Statistics("string", size=6),
            "price": Statistics("float32", mean=1.0, std=2.0, boundaries=(5.0,)),
            "tags": Statistics("string", size=4),
            "image": Statistics("float32", size=2),
        }
    )


@pytest.fixture
def user_features() -> dict[str, torch.Tensor]:
    """Three users: the last one unknown, without age and without history."""
    return {
        "user_id": torch.tensor([2, 3, 1]),
        "age": torch.tensor([50.0, 30.0, float("nan")]),
        "signup": torch.tensor([0, 3_600 * 30, 86_400 * 4]),
        "history": torch.tensor([[2, 5, 0], [3, 2, 4], [0, 0, 0]]),
    }


@pytest.fixture
def item_features() -> dict[str, torch.Tensor]:
    """Two items: one known with two tags, one unknown without tags."""
    return {
        "item_id": torch.tensor([2, 1]),
        "price": torch.tensor([4.0, 9.0]),
        "tags": torch.tensor([[2, 3], [0, 0]]),
        "image": torch.tensor([[0.5, -0.5], [1.0, 2.0]]),
    }


@pytest.fixture(scope="session")
def described():
    """A config whose data are described as a schema says."""

    def nodes(parts):
        return tuple({"_target_": f"recsys.schema.{type(part).__name__}", **asdict(part)} for part in parts)

    def changed(config, schema):
        names = ("user", "item", "time", "time_unit", "session", "positive")
        same = {name: getattr(schema, name) for name in names}
        return replace(config, data=replace(config.data, **same, features=nodes(schema.features), labels=nodes(schema.labels)))

    return changed
