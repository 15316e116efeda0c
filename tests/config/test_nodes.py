import functools
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from recsys.config import DataConfig, build, schema_of
from recsys.config.nodes import typed_config
from recsys.errors import ConfigError
from recsys.optimizer.schedule import cosine
from recsys.schema import Categorical, Label
from recsys.source.tables import TableFiles

CATEGORICAL = {"_target_": "recsys.schema.Categorical", "column": "item_id", "entity": "item"}
LABEL = {"_target_": "recsys.schema.Label", "column": "click"}


def test_build_makes_objects_inside_lists_and_mappings():
    assert build({"features": [CATEGORICAL], "k": 3}) == {"features": [Categorical("item_id", "item")], "k": 3}


def test_build_makes_a_partial_that_the_program_completes():
    schedule = build({"_target_": "recsys.optimizer.schedule.cosine", "_partial_": True, "warmup_steps": 5, "final": 0.1})
    assert isinstance(schedule, functools.partial)
    assert schedule.func is cosine
    assert schedule.keywords == {"warmup_steps": 5, "final": 0.1}


def test_build_gives_text_as_a_path_where_one_is_asked_for():
    source = build({"_target_": "recsys.source.tables.TableFiles", "_partial_": True, "root": "folder", "interactions": "a.parquet"})
    assert source.func is TableFiles
    assert source.keywords == {"root": Path("folder"), "interactions": "a.parquet"}


def test_build_refuses_a_hostile_target():
    with pytest.raises(ConfigError, match=r"'os\.system' is not allowed"):
        build({"_target_": "os.system", "command": "true"})


def test_refusal_of_a_constructor_becomes_a_config_error():
    with pytest.raises(ConfigError, match="every_n_steps must be at least 1, got 0"):
        build({"_target_": "recsys.run.finite_loss.FiniteLoss", "every_n_steps": 0})


def test_refusal_of_a_constructor_that_is_called_later_becomes_a_config_error():
    optimizer = build({"_target_": "torch.optim.AdamW", "_partial_": True, "lr": -1.0})
    with pytest.raises(ConfigError, match=r"Invalid learning rate: -1\.0[\s\S]*the config of torch\.optim\.adamw\.AdamW"):
        optimizer([torch.zeros(1, requires_grad=True)])


@dataclass(frozen=True)
class Root:
    model: dict
    optimizer: dict


def test_a_typed_config_names_the_key_of_what_refuses_a_value():
    table = {"_target_": "recsys.optimizer.rowwise_adagrad.RowwiseAdagrad", "_partial_": True, "lr": -1.0}
    dense = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": -1.0}
    layer = {"_target_": "recsys.nn.mlp.MLP", "in_dim": 2, "hidden": [3], "out_dim": 1, "dropout": 1.5}
    config = typed_config({"model": {"user": layer}, "optimizer": {"tables": [table], "dense": dense}}, Root)
    with pytest.raises(ConfigError, match=r"dropout is 1\.5(.|\n)*where: model\.user\.dropout"):
        build(config.model)
    optimizers = build(config.optimizer)
    for optimizer, where in ((optimizers["tables"][0], r"optimizer\.tables\.0\.lr"), (optimizers["dense"], r"optimizer\.dense")):
        with pytest.raises(ConfigError, match=f"where: {where}\n"):
            optimizer([torch.zeros(1, requires_grad=True)])


def test_typed_config_and_its_schema():
    node = {"_target_": "recsys.data.split.LeaveOneOut"}
    config = {
        "name": "x",
        "source": node,
        "user": "u",
        "item": "item_id",
        "split": node,
        "features": [CATEGORICAL],
        "labels": [LABEL],
        "store": "a/b",
    }
    data = typed_config(config, DataConfig)
    assert data.store == Path("a/b")
    assert data.source == node  # nodes wait for `build`
    schema = schema_of(data)
    assert (schema.user, schema.features, schema.labels) == ("u", (Categorical("item_id", "item"),), (Label("click"),))
