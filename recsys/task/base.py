"""What every task is asked for: its model, the parts of a run, and how the rest of the program reaches what only the task knows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from pytorch_lightning import Callback, LightningModule
from torch import nn

from recsys.config import TrainConfig, build
from recsys.data.read.datamodule import DataModule
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault
from recsys.schema import Schema
from recsys.source.base import Source


class Evaluation(Callback):
    """Measures a model on validation and test; the module of a task brings its own through `configure_callbacks`.

    Attributes:
        results: {key of metrics.json: value} of the last validation and test.
        notes: sentences on what was not measured, and why.
        baselines_s: seconds that baselines took.
    """

    def __init__(self):
        self.results: dict[str, float] = {}
        self.notes: list[str] = []
        self.baselines_s = 0.0

    def publish(self, module: LightningModule, values: Mapping[str, float], *, stage: str) -> None:
        """Keep values, which are equal on all processes, and hand them to the loggers; those of validation to callbacks too.

        A test has hundreds of keys, and Lightning makes a metric of each that a module logs: that would take longer than measuring them.
        """
        self.results |= values
        if stage == "test":
            for logger in module.trainer.loggers:
                logger.log_metrics({"epoch": float(module.trainer.current_epoch), **values}, step=module.trainer.global_step)
            return
        for key, value in values.items():
            module.log(key, value, reduce_fx="max", sync_dist=True)  # a mean could round, a maximum cannot


@dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        module: what is trained.
        loader: what feeds it.
        evaluation: what measures it; `module.configure_callbacks` hands it to the trainer.
        write_evidence: writes what the test found into a run directory, beside its metrics, for reports and comparisons.
    """

    module: LightningModule
    loader: DataModule
    evaluation: Evaluation
    write_evidence: Callable[[Path], None]


class Task(ABC):
    """What a run is trained for. The constructor takes the keys of the config's `task` node, which no other task has."""

    @abstractmethod
    def model(self, config: TrainConfig, schema: Schema) -> nn.Module:
        """The model of a run, with new weights.

        Args:
            schema: fitted.
        Raises:
            ConfigError: the config's model or loss is none of this task.
        """

    @abstractmethod
    def parts(self, config: TrainConfig, store: Store, source: Source) -> Parts:
        """Everything that a run needs beside the trainer.

        Args:
            store: the prepared data that `config.data` describes.
            source: where they came from; it may know the truth.
        Raises:
            ConfigError: a part refuses its values, or parts do not fit each other.
        """

    def other_runs(self) -> dict[str, Path]:
        """{key of the config: directory of a finished run whose weights this one reads}."""
        return {}


def component(node: dict | None, kind: type, key: str, *, remedy: str) -> Callable[..., Any]:
    """What a node of the root config partially builds, where a task needs a kind of its own.

    Args:
        kind: the class that the built object has to be of.
        key: of the node.
        remedy: a choice that would do.
    Raises:
        ConfigError: the node is null, or builds something else.
    """
    if node is None:
        raise ConfigError(Fault(f"{key} is null, and this task needs a {kind.__name__}", key, f"choose one, such as {remedy}"))
    part = build(node)
    if not issubclass(part.func, kind):
        what = f"{part.func.__name__} is no {kind.__name__}, which this task needs"
        raise ConfigError(Fault(what, key, f"choose another, such as {remedy}"))
    return part


def facet(name: str, part: str) -> ModuleType:
    """A module of one task's folder, by convention instead of a list of tasks.

    Args:
        name: folder of the task under `recsys/task`, such as "retrieval".
        part: its file, such as "report", which stands on a higher floor than the task itself and is imported only when asked for.
    """
    return import_module(f"recsys.task.{name}.{part}")
