from dataclasses import dataclass, field
from typing import Annotated

import pytest

from recsys.config import Makes, save_config
from recsys.config.check import check_config
from recsys.config.files import saved_config
from recsys.errors import ConfigError

CATEGORICAL = {"_target_": "recsys.schema.Categorical", "column": "item_id", "entity": "item"}
TOWER = {"_target_": "recsys.tower.mlp.MLPTower", "_partial_": True, "hidden": [8], "dropout": 0.0}
MODEL = {
    "_target_": "recsys.model.two_tower.TwoTower",
    "_partial_": True,
    "user": TOWER,
    "item": TOWER,
    "dim": 8,
    "embedding_dim": 8,
    "normalize": True,
    "share_item_table": True,
    "id_dropout": 0.0,
    "sparse_from": 100,
}

INPUT = {
    "_target_": "recsys.nn.ranking_input.RankingInput",
    "_partial_": True,
    "embedding_dim": 8,
    "id_dropout": 0.0,
    "sparse_from": 100,
    "fm": False,
    "cross": None,
    "attention": None,
}
RANKER = {
    "_target_": "recsys.model.single_task.SingleTask",
    "_partial_": True,
    "hidden": [8],
    "dropout": 0.0,
    "bias_dropout": 0.0,
    "input": INPUT,
}
CROSS = {"_target_": "recsys.nn.cross.CrossNetwork", "_partial_": True, "layers": 2, "rank": None}


@dataclass(frozen=True)
class Inner:
    name: str
    features: tuple[Annotated[dict, Makes("recsys.schema.Feature")], ...] = ()


@dataclass(frozen=True)
class Root:
    inner: Inner
    model: Annotated[dict, Makes("torch.nn.Module", later=("schema", "heads"))] | None = None
    optimizer: Annotated[dict, Makes("torch.optim.Optimizer", later=("params",))] | None = None
    seed: int = 0
    rate: float = 0.1
    others: dict[str, Annotated[dict, Makes("recsys.schema.Feature")]] = field(default_factory=dict)


def faults(origin=None, **config):
    """(what, where, remedy) of each fault; none when the config is good."""
    try:
        check_config({"inner": {"name": "a"}, **config}, Root, origin=origin or {})
    except ConfigError as error:
        return [(fault.what, fault.where, fault.remedy) for fault in error.faults]
    return []


def only(found):
    assert len(found) == 1, found
    return found[0]


def test_good_config_passes():
    assert faults(inner={"name": "a", "features": [CATEGORICAL]}, model=MODEL, seed=3, rate=1, others={"a": CATEGORICAL}) == []


def test_unknown_root_key_names_what_is_taken_and_the_nearest():
    what, where, remedy = only(faults(sede=3, origin={"sede": "command line, sede=3"}))
    assert what == "nothing is called 'sede' in the config; did you mean 'seed'?"
    assert where == "command line, sede=3, key 'sede'"
    assert remedy == "taken there: inner, model, optimizer, seed, rate, others"


def test_key_that_is_no_text_is_unknown_too():
    assert only(faults(inner={"name": "a", 3: 4}))[0] == "nothing is called '3' in 'inner'"


def test_unknown_key_of_an_inner_closed_config():
    assert "did you mean 'name'" in faults(inner={"nam": "a"})[0][0]


def test_unknown_key_of_a_node_names_the_keys_of_its_target():
    what, _, remedy = only(faults(inner={"name": "a", "features": [{**CATEGORICAL, "min_cont": 3}]}))
    assert what == "nothing is called 'min_cont' in 'inner.features.0', Categorical; did you mean 'min_count'?"
    assert remedy == "taken there: column, entity, min_count, buckets"


def test_partials_are_checked_as_deep_as_objects():
    what, _, remedy = only(faults(model={**MODEL, "user": {**TOWER, "hiden": [8]}}))
    assert what == "nothing is called 'hiden' in 'model.user', MLPTower; did you mean 'hidden'?"
    assert remedy == "taken there: hidden, dropout"  # not schema, features, tables, dim: the model adds those


def test_every_fault_is_reported_at_once():
    found = faults(sede=3, seed=1.5, rate="x", inner={"name": 3}, model={**MODEL, "user": {**TOWER, "dropout": "no"}, "dim": "wide"})
    assert [what.split("'")[1] for what, _, _ in found] == ["inner.name", "sede", "seed", "rate", "model.user.dropout", "model.dim"]


@pytest.mark.parametrize("key", ["hidden", "dropout"])
def test_partial_may_not_lack_what_only_config_knows(key):
    what, _, remedy = only(faults(model={**MODEL, "user": {name: value for name, value in TOWER.items() if name != key}}))
    assert what == f"'model.user.{key}' is missing"
    assert remedy.startswith(f"add {key}: a ")


def test_partial_may_lack_what_the_program_adds_but_not_give_it():
    what, _, _ = only(faults(model={**MODEL, "schema": None}))
    assert what == "nothing is called 'schema' in 'model', TwoTower"


def test_arguments_of_other_packages_are_left_to_the_program_too():
    assert faults(optimizer={"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.1, "betas": [0.9, 0.99]}) == []
    what, _, remedy = only(faults(optimizer={"_target_": "torch.optim.AdamW", "_partial_": True, "lr": "1e-3"}))
    assert (what, remedy) == ("'optimizer.lr' takes a number of at least 0, got the text '1e-3'", "write 1e-3 without quotes")


def test_object_may_not_lack_anything():
    what, _, remedy = only(faults(inner={"name": "a", "features": [{"_target_": "recsys.schema.Categorical", "column": "item_id"}]}))
    assert (what, remedy) == ("'inner.features.0.entity' is missing", "add entity: one of user, item, context, bias")


def test_node_without_partial_where_the_program_completes_it():
    node = {key: value for key, value in TOWER.items() if key != "_partial_"}
    what, _, remedy = only(faults(model={**MODEL, "user": node}))
    assert (what, remedy) == ("'model.user' is built at once, but takes what only a run knows", "add _partial_: true")


def test_partial_may_stand_where_it_or_null_is_asked_for():
    assert faults(model=RANKER) == []
    assert faults(model={**RANKER, "input": {**INPUT, "cross": CROSS}}) == []


def test_partial_of_another_kind_is_refused_beside_null():
    (what, _, _), *_ = faults(model={**RANKER, "input": {**INPUT, "cross": TOWER}})
    assert what == "'model.input.cross' builds MLPTower, which is no recsys.nn.cross.CrossNetwork"
    at_once = {key: value for key, value in CROSS.items() if key != "_partial_"}
    (what, _, remedy), *_ = faults(model={**RANKER, "input": {**INPUT, "cross": at_once}})
    assert (what, remedy) == ("'model.input.cross' is built at once, but takes what only a run knows", "add _partial_: true")


def test_partial_where_nothing_completes_it():
    assert only(faults(inner={"name": "a", "features": [{**CATEGORICAL, "_partial_": True}]}))[2] == "remove _partial_"


def test_node_of_another_kind_is_refused():
    what, _, _ = only(faults(model={**CATEGORICAL, "_partial_": True}))
    assert what == "'model' builds Categorical, which is no torch.nn.modules.module.Module"
    what, _, _ = only(faults(model={**MODEL, "user": {**MODEL}}))  # Callable[..., Tower] is wanted
    assert what == "'model.user' builds TwoTower, which is no recsys.tower.base.Tower"


def test_node_without_target_is_refused():
    assert only(faults(model={"dim": 3}))[0] == "'model' has no _target_ but dim"


def test_refused_target_is_named_with_its_place():
    what, where, _ = only(
        faults(model={"_target_": "os.system", "command": "true"}, origin={"model._target_": "conf/model/x.yaml, line 2"})
    )
    assert "'os.system' is not allowed" in what
    assert where == "conf/model/x.yaml, line 2, key 'model._target_'"


@pytest.mark.parametrize("key", ["_args_", "_convert_", "_recursive_"])
def test_further_keys_of_hydra_are_refused(key):
    assert f"nothing is called '{key}'" in only(faults(model={**MODEL, key: "all"}))[0]


def test_place_of_a_key_is_that_of_the_nearest_key_around_it():
    origin = {"inner": "conf/inner.yaml, line 1", "": "root.yaml"}
    assert only(faults(inner={"name": 3}, origin=origin))[1] == "conf/inner.yaml, line 1, key 'inner.name'"
    assert only(faults(seed="x", origin=origin))[1] == "root.yaml, key 'seed'"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1], "a whole number, got a list"),
        ({"a": 1}, "a whole number, got a mapping"),
        (None, "a whole number, got null"),
        (True, "a whole number, got true"),
    ],
)
def test_value_of_another_shape_is_refused(value, words):
    assert only(faults(seed=value))[0] == f"'seed' takes {words}"


def test_fixed_number_of_values_is_counted():
    optimizer = {"_target_": "torch.optim.AdamW", "_partial_": True, "betas": [0.9]}
    assert only(faults(optimizer=optimizer))[0] == "'optimizer.betas' has 1 values, 2 are wanted"


def test_saved_config_loads_equal_and_is_checked_again(tmp_path):
    root = Root(Inner("a", (CATEGORICAL,)), seed=4)
    save_config(root, tmp_path / "config.yaml")
    assert check_config(saved_config(tmp_path / "config.yaml"), Root, origin={}) == Root(Inner("a", (CATEGORICAL,)), seed=4)
    (tmp_path / "config.yaml").write_text("format: 3\ninner: {name: a}\nsede: 3\n")
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        check_config(saved_config(tmp_path / "config.yaml"), Root, origin={})
