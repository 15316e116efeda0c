"""Closed root configs, and how they are saved; `recsys.config.nodes` builds objects of them. No Hydra here."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Interval

from recsys.config.files import FORMAT
from recsys.config.nodes import build
from recsys.disk import write_whole
from recsys.disk.scrub import without_secrets
from recsys.ranges import AnyNumber, Column, Count, Positive, Seed, Share, Word
from recsys.schema import Schema, TimeUnit

CONFIG = "config.yaml"
"""File of a run directory that holds its config."""


@dataclass(frozen=True)
class Makes:
    """What a node of a root config has to build.

    Attributes:
        base: dotted name of the class; by name, because the root configs are read before anything heavy is imported.
        later: arguments that the program adds, since only a run knows them; with any, the node needs `_partial_: true`.
        repeated: the program builds one for each label, so the node needs `_partial_: true` too.
    """

    base: str
    later: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True)
class DataConfig:
    """One data set: `conf/data/<name>.yaml`; conf/data/tables.yaml explains each key, `recsys.schema.Schema` columns, labels and times.

    Attributes:
        max_unknown_share: share of validation or test rows with ids that training never saw; more is a fault, and more ids
            without a row in the users or items table a warning.
        max_feature_auc: AUC that one feature alone may reach for a binary label in training; a feature with more was probably
            written after the fact, and is a fault. 1 = off.
    """

    name: Word
    source: Annotated[dict, Makes("recsys.source.base.Source")]
    split: Annotated[dict, Makes("recsys.data.split.Split")]
    user: Column | None = None
    item: Column | None = None
    root: Path | None = None
    time: Column | None = None
    time_unit: TimeUnit = "datetime"
    features: tuple[Annotated[dict, Makes("recsys.schema.Feature")], ...] = ()
    labels: tuple[Annotated[dict, Makes("recsys.schema.Label")], ...] = ()
    session: Column | None = None
    positive: Column | None = None
    bad_rows: Literal["fail", "quarantine"] = "fail"
    max_unknown_share: Share = 0.2
    max_feature_auc: Annotated[float, Interval(ge=0.5, le=1)] = 0.99
    store: Path = Path(".cache/store")


@dataclass(frozen=True)
class TrainConfig:
    """Config of `train.py`, saved as `config.yaml`, which rebuilds the run; conf/train.yaml explains each key.

    Attributes:
        task: what the model is trained for, with the keys that only this task has.
        monitor: validation metric that chooses the best weights and stops the run early; callbacks read it as `${monitor}`.
        allow_change: keys, or starts of keys, that may differ from those the run began with; `data` also allows other data.
    """

    data: DataConfig
    task: Annotated[dict, Makes("recsys.task.base.Task")]
    loader: Annotated[dict, Makes("pytorch_lightning.LightningDataModule", later=("store", "seed", "rows", "evaluated", "keep_negatives"))]
    model: Annotated[dict, Makes("torch.nn.Module", later=("schema", "heads"))]
    loss: Annotated[dict, Makes("torch.nn.Module", later=("labels",))]
    optimizer: Annotated[dict, Makes("torch.optim.Optimizer", later=("module",))]
    scheduler: Annotated[dict, Makes("torch.optim.lr_scheduler.LRScheduler", later=("optimizer", "total_steps"))]
    trainer: Annotated[dict, Makes("pytorch_lightning.Trainer", later=("callbacks", "logger", "default_root_dir"))]
    checkpoint: Annotated[dict, Makes("recsys.run.saver.Checkpoints", later=("resume_from", "begin"))]
    callbacks: dict[str, Annotated[dict, Makes("pytorch_lightning.Callback")]] = field(default_factory=dict)
    logger: dict[str, Annotated[dict, Makes("pytorch_lightning.loggers.Logger", later=("save_dir",))]] = field(default_factory=dict)
    seed: Seed = 0
    monitor: Column = "val/recall@20"
    resume: Column | None = None
    allow_change: tuple[Column, ...] = ()


@dataclass(frozen=True)
class GateConfig:
    """Limits of a bundle, which `recsys.export.gates` checks; conf/export.yaml explains each key."""

    min: dict[str, AnyNumber] = field(default_factory=dict)
    p99_ms: Positive | None = None
    size_mb: Positive | None = None


@dataclass(frozen=True)
class ExportConfig:
    """Config of `export.py`; conf/export.yaml explains each key."""

    run: Path
    ranker: Path | None = None
    checkpoint: Literal["best", "last"] = "best"
    k: Count = 100
    gate: GateConfig = GateConfig()
    against: Path | None = None
    quantize: Annotated[dict, Makes("recsys.export.quantize.base.Quantization")] | None = None
    index: Annotated[dict, Makes("recsys.export.index.base.SearchIndex")] | None = None
    dry_run: bool = False
    sign: Path | None = None


def schema_of(data: DataConfig) -> Schema:
    """The schema that a data config describes, not fitted yet."""
    return Schema(
        user=data.user,
        item=data.item,
        time=data.time,
        time_unit=data.time_unit,
        features=tuple(build(list(data.features))),
        labels=tuple(build(list(data.labels))),
        session=data.session,
        positive=data.positive,
    )


def save_config(config: TrainConfig, path: Path) -> None:
    """Write a root config as plain yaml without secrets, in one step; `recsys.config.files.saved_config` reads it back."""
    write_whole(path, yaml.safe_dump({"format": FORMAT, **without_secrets(plain(config))}, sort_keys=False, allow_unicode=True))


def plain(config: TrainConfig) -> dict[str, Any]:
    """A root config as mappings, lists, text and numbers: what is saved of it."""
    return {key: _plain(value) for key, value in asdict(config).items()}


def flattened(node: Any, path: str = "", *, lists: bool = True) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every leaf of a plain config; an empty mapping or list is a leaf, and without `lists` each list.

    Example:
        >>> dict(flattened({"loss": {"t": 0.1}, "ks": [10, 20], "logger": {}}))
        {'loss.t': 0.1, 'ks.0': 10, 'ks.1': 20, 'logger': {}}
    """
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) and lists else ()
    if not entries:
        yield path, node
    for key, value in entries:
        yield from flattened(value, f"{path}.{key}" if path else str(key), lists=lists)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
