"""Every key of a yaml file has its range or its choice, and what lies outside is refused when the config is composed."""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

import recsys
from recsys.config import DataConfig, ExportConfig, TrainConfig, plain
from recsys.config.check import check_config
from recsys.config.nodes import signature
from recsys.config.target import locate
from recsys.config.values import elements, mapping_values, returned, ruled
from recsys.errors import ConfigError
from recsys.sweep.launcher import ProcessLauncher, SubmititLauncher
from recsys.sweep.sweep_config import SweepConfig

CONF = Path(__file__).parents[2] / "conf"
TABLES = ("interactions", "users", "items", "types", "formats", "lists", "separator", "columns", "encoding", "escape", "decimal", "nulls")
FREE = {("Trainer", "strategy"), *(("TableFiles", key) for key in TABLES)}
"""(class, key) of texts that may say anything: paths, values of tables, and what Lightning registers."""
HYDRA = {f"hydra_plugins.recsys.{kind.__name__}": kind for kind in (ProcessLauncher, SubmititLauncher)}
HYDRA["hydra_plugins.recsys.OptunaSweeper"] = SweepConfig
ROOTS = {"train": TrainConfig, "export": ExportConfig}


def is_bounded(annotation: Any) -> bool:
    """Whether every number and text that an annotation allows has a range, or is chosen from a list."""
    return all(rules or is_bounded_kind(kind) for kind, rules in ruled(annotation))


def is_bounded_kind(kind: Any) -> bool:
    if kind in (bool, type(None), Path) or typing.get_origin(kind) is Literal or returned(kind) is not None:
        return True
    if kind in (int, float, str, Any):
        return False
    if (inner := elements(kind)) is not None:
        return all(is_bounded(entry) for entry in inner if entry is not ...)
    if (values := mapping_values(kind)) is not None:
        return values is Any or is_bounded(values)
    return inspect.isclass(kind)  # built by a node of its own


@pytest.mark.parametrize(
    ("annotation", "bounded"),
    [
        *[(int, False), (str | None, False), (list[int], False), (dict[str, float], False), (Sequence[str], False), (Any, False)],
        *[(bool, True), (Path | None, True), (Literal["a"], True), (Callable[..., int], True), (Mapping[str, bool], True)],
    ],
)
def test_a_key_without_a_range_is_seen(annotation, bounded):
    assert is_bounded(annotation) == bounded


def nodes(document: Any) -> typing.Iterator[dict]:
    """Every node with a target."""
    if isinstance(document, dict):
        if "_target_" in document:
            yield document
        for value in document.values():
            yield from nodes(value)
    elif isinstance(document, list):
        for value in document:
            yield from nodes(value)


def keys(path: Path) -> typing.Iterator[tuple[str, str, Any]]:
    """(class, key, annotation) of the keys of a yaml file that hold values."""
    document = yaml.safe_load(path.read_text())
    root = ROOTS.get(path.stem) if path.parent == CONF else DataConfig if path.parent.name == "data" else None
    if root is not None:
        hints = typing.get_type_hints(root, include_extras=True)
        yield from ((root.__name__, key, hints[key]) for key in document if key in hints and not is_dataclass(hints[key]))
    for node in nodes(document):
        target = HYDRA.get(node["_target_"]) or locate(node["_target_"])
        parameters = signature(target).parameters
        for key in node.keys() & parameters.keys():  # others are of a **kwargs of another package
            yield target.__name__, key, parameters[key].annotation


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.relative_to(CONF).as_posix())
def test_every_key_has_its_range_or_its_choice(path):
    unbounded = {(kind, key) for kind, key, annotation in keys(path) if not is_bounded(annotation)} - FREE
    assert not unbounded


def test_every_field_of_a_root_has_its_range_or_its_choice():
    for root in (TrainConfig, DataConfig, ExportConfig, SweepConfig):
        hints = typing.get_type_hints(root, include_extras=True)
        assert not [entry.name for entry in fields(root) if not is_bounded(hints[entry.name])], root


COUNT = (0, -1, 2.5, "many", True, [1], None)
NATURAL = (-1, 0.5, "x")
SEED = (-1, 2**32, 0.5)
SHARE = (-0.1, 1.1, float("nan"), float("inf"))
POSITIVE = (0, -1.0, float("nan"), float("inf"), "x")
NON_NEGATIVE = (-1e-9, float("nan"), float("-inf"))
POSITIVES = ([], [0.0], [1.0, 1.0], [float("nan")], 1.0)
CUTOFFS = ([], [0], [10, 10], [-5, 10], [2.5], 10, None)
WIDTHS = ([0], [8, -1], [8.5], 8)
WRONG = {
    (): {
        "seed": SEED,
        "data.name": ("", "../../evil", "a" * 300, "a/b", ".", None, 3),
        "data.max_unknown_share": SHARE,
        "data.max_feature_auc": (0.4, 1.5, float("nan")),
        "data.user": ("", 3),
        "data.time": (" ",),
        "data.source.num_users": (9, 0),
        "data.source.num_items": (299,),
        "data.source.seed": SEED,
        "data.split.val_days": POSITIVE,
        "monitor": ("", 3),
        "loader.batch_size": COUNT,
        "loader.eval_batch_size": COUNT,
        "loader.num_workers": NATURAL,
        "loader.slice_columns": (["brand", "brand"], [""], "brand"),
        "model.dim": COUNT,
        "model.embedding_dim": COUNT,
        "model.id_dropout": SHARE,
        "model.sparse_from": (0,),
        "model.user.hidden": WIDTHS,
        "model.user.dropout": (-0.1, 1.0, 1, float("nan")),
        "loss.temperature": POSITIVE,
        "task.candidates.num_uniform": COUNT,
        "task.evaluation.ks": CUTOFFS,
        "task.evaluation.slice_ks": ([20, 20], [0]),
        "task.evaluation.intervals": NATURAL,
        "task.evaluation.min_slice_users": (0,),
        "task.evaluation.item_chunk": COUNT,
        "task.evaluation.baselines.ease.l2": POSITIVES,
        "task.evaluation.baselines.item_knn.neighbours": CUTOFFS,
        "task.evaluation.baselines.item_knn.shrink": ([], [-1e-9], [1.0, 1.0], 10.0),
        "task.evaluation.baselines.recent_popularity.days": POSITIVE,
        "optimizer.dense.lr": (-1e-3, float("nan"), float("inf"), "1e-3"),
        "optimizer.dense.weight_decay": NON_NEGATIVE,
        "optimizer.dense.betas": ([0.9], [0.9, 1.0], [-0.1, 0.9], 0.9),
        "optimizer.sparse_tables.lr": POSITIVE,
        "scheduler.warmup_steps": NATURAL,
        "scheduler.final": SHARE,
        "checkpoint.every_s": POSITIVE,
        "checkpoint.mode": ("best", None),
        "callbacks.early_stopping.patience": NATURAL,
        "callbacks.early_stopping.min_delta": NON_NEGATIVE,
        "callbacks.early_stopping.mode": ("lower",),
        "callbacks.finite_loss.every_n_steps": (0,),
        "callbacks.progress.refresh_s": (0, -1),
        "trainer.max_epochs": (-2, 1.5),
        "trainer.devices": (-2, [], "many"),
        "trainer.num_nodes": (0,),
        "trainer.precision": ("float32", 8),
        "trainer.accelerator": ("quantum",),
        "trainer.log_every_n_steps": (-1,),
        "trainer.gradient_clip_val": NON_NEGATIVE,
        "trainer.gradient_clip_algorithm": ("sum",),
        "trainer.limit_train_batches": (-1, 1.5, float("nan")),
        "trainer.val_check_interval": (0, 0.0, -1, 1.5),
        "trainer.accumulate_grad_batches": (0,),
        "trainer.check_val_every_n_epoch": (0,),
    },
    ("tower@model.user=sequence",): {"model.user.blocks": COUNT, "model.user.heads": (0,), "model.user.expansion": (0,)},
    ("loss=gbce", "candidates=hard"): {"loss.t": SHARE, "task.candidates.num_hard": (0,), "task.candidates.refresh_every": (0,)},
    ("loss=ccl", "candidates=queue"): {"loss.margin": (-1.1, 1.1), "loss.negative_weight": NON_NEGATIVE, "task.candidates.size": (0,)},
    ("task=ranking",): {
        "task.keep_negatives": (0, 1.1, -1),
        "task.teacher.weight": POSITIVE,
        "task.pair.num_candidates": (0,),
        "task.pair.ks": CUTOFFS,
        "task.evaluation.min_slice_rows": (0,),
        "task.balance.weights": ({"click": -1.0}, {"click": float("inf")}),
        "task.evaluation.baselines.hist_gradient_boosting.max_leaves": (1,),
        "task.evaluation.baselines.logistic.l2": POSITIVES,
        "loss.focal_gamma": NON_NEGATIVE,
        "loss.positive_weight": ({"click": 0.0},),
        "model.num_experts": COUNT,
        "model.tower_hidden": WIDTHS,
        "model.bias_dropout": SHARE,
        "model.input.cross.rank": (0, -1),
    },
    ("task=ranking", "loss=dcmt", "balance=gradnorm"): {
        "loss.min_propensity": (0, 1.1),
        "loss.regulariser": (-1,),
        "task.balance.alpha": NON_NEGATIVE,
        "task.balance.lr": POSITIVE,
    },
}
CASES = [(base, key, value) for base, wrong in WRONG.items() for key, values in wrong.items() for value in values]


@cache
def composed(base: tuple[str, ...]) -> dict[str, Any]:
    return plain(recsys.compose(*base))


def changed(document: Any, key: str, value: Any) -> Any:
    """A copy of a plain config with another value at a dotted key."""
    first, _, rest = key.partition(".")
    return {**document, first: changed(document[first], rest, value) if rest else value}


def test_there_are_200_wrong_values():
    assert len(CASES) >= 200
    for base in WRONG:
        check_config(composed(base), TrainConfig, origin={})


@pytest.mark.parametrize(("base", "key", "value"), CASES, ids=lambda part: str(part)[:40])
def test_wrong_value_is_refused_with_its_key_and_its_range(base, key, value):
    with pytest.raises(ConfigError) as refused:
        check_config(changed(composed(base), key, value), TrainConfig, origin={})
    (fault,) = refused.value.faults
    assert fault.what.startswith(f"'{key}")
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("k", 0), ("gate.min", {"test/recall@20": float("nan")}), ("gate.p99_ms", 0), ("gate.size_mb", -1), ("checkpoint", "first")],
)
def test_wrong_value_of_an_export_is_refused(key, value):
    document = {"run": "x", "gate": {"min": {}}}
    with pytest.raises(ConfigError, match=key):
        check_config(changed({**document, key.partition(".")[0]: document.get(key.partition(".")[0])}, key, value), ExportConfig, origin={})


def test_every_fault_of_a_command_line_comes_at_once_with_value_and_range():
    with pytest.raises(ConfigError) as refused:
        recsys.compose("model.dim=0", "seed=-1", "task.evaluation.ks=[]")
    assert {fault.where.split("'")[1] for fault in refused.value.faults} == {"model.dim", "seed", "task.evaluation.ks"}
    assert "whole number of at least 1, got 0" in str(refused.value)
