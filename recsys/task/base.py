"""The contract of a task: its model, the parts of a run, the module that it trains, and its facets for reports and exports. Q rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from recsys.batch import Batch
from recsys.config import TrainConfig, build
from recsys.data.read.datamodule import DataModule
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault, name_list, nearest
from recsys.metric.declaration import Better
from recsys.schema import Schema
from recsys.seeds import seed_of
from recsys.source.base import Source

MODES: dict[Better, str] = {"more": "max", "less": "min"}
"""Words of Lightning's callbacks for the direction in which a metric improves."""


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
            exact = torch.tensor(value, dtype=torch.float64, device=module.device)  # of a plain number Lightning keeps 24 bits
            module.log(key, exact, reduce_fx="max", sync_dist=True)  # a mean could round, a maximum cannot


class TaskModule(LightningModule):
    """Base of the modules of all tasks: seeded steps, an optimizer whose learning rate moves every step, and an evaluation.

    Args:
        optimizer: called with `module=self`.
        scheduler: called with `optimizer=` and `total_steps=`.
        evaluation: measures the model; None = nothing does.
        seed: of what a step draws by chance, such as dropout.
    """

    def __init__(
        self,
        *,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        evaluation: Evaluation | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.build_optimizer = optimizer
        self.build_scheduler = scheduler
        self.evaluation = evaluation
        self.seed = seed

    def configure_callbacks(self) -> list[Callback]:
        """Hands the evaluation of this task to the trainer."""
        return [] if self.evaluation is None else [self.evaluation]

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds what this step draws by chance."""
        seed_step(self, self.seed)

    def weight_share(self, weight: Tensor) -> Tensor | float:
        """Weight of this process's loss so that DDP's mean of gradients equals the mean over all rows.

        Args:
            weight: [Q] weight of each row of this process; 0 for those that only fill up a last batch.
        Returns:
            Scalar: the process's part of all weight, times the number of processes; 1 where there is one.
        """
        if self.trainer.world_size == 1:
            return 1.0
        own = weight.sum()
        # a process may hold fill-up rows alone, and then counts 0
        return own * self.trainer.world_size / self.trainer.strategy.reduce(own.clone(), reduce_op="sum").clamp(min=1e-30)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and a learning rate that moves every step."""
        optimizer = self.build_optimizer(module=self)
        scheduler = self.build_scheduler(optimizer=optimizer, total_steps=self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def seed_step(module: LightningModule, seed: int) -> None:
    """Make what a step draws from torch's generators, such as dropout, a function of seed, step and process.

    Call it when a batch begins: an interrupted run then draws what it would have drawn, and each process something else.
    """
    torch.manual_seed(seed_of("dropout", seed, module.trainer.fit_loop.total_batch_idx, module.global_rank))


@dataclass(frozen=True)
class Parts:
    """Parts of a run; `write_evidence` writes results of the test into a run directory, beside its metrics, for reports."""

    module: LightningModule
    loader: DataModule
    evaluation: Evaluation
    write_evidence: Callable[[Path], None]


class Task(ABC):
    """Purpose of a run. The constructor takes the keys of the config's `task` node, which no other task has."""

    @abstractmethod
    def model(self, config: TrainConfig, schema: Schema) -> nn.Module:
        """Model of a run with a fitted schema and new weights; a ConfigError where the config's model or loss is none of this task."""

    @abstractmethod
    def parts(self, config: TrainConfig, store: Store, source: Source) -> Parts:
        """Everything that a run needs beside the trainer; a ConfigError where a part refuses its values, or parts do not fit.

        Args:
            store: the prepared data that `config.data` describes.
            source: of the store's tables; it may know the truth.
        """

    def check(self, config: TrainConfig) -> None:  # noqa: B027  a task may have nothing to refuse
        """Refuse, before the data are read, parts of another task and a monitor that no validation gives; a ConfigError names each."""

    def other_runs(self) -> dict[str, Path]:
        """{key of the config: directory of a finished run whose weights this one reads}."""
        return {}


def require_monitors(config: TrainConfig, metrics: Mapping[str, Better | None]) -> None:
    """Refuse a monitor that is none of these metrics of validation, or would be followed into the wrong direction.

    A callback may also watch a metric of training, of which nothing is known.

    Args:
        metrics: {key: whether more or less of it is better; None = neither}.
    """
    nodes = {"checkpoint": config.checkpoint} | {f"callbacks.{name}": node for name, node in config.callbacks.items()}
    watched = {"monitor": config.monitor} | {f"{key}.monitor": str(node["monitor"]) for key, node in nodes.items() if "monitor" in node}
    faults = [
        Fault(f"no metric is called '{name}'{nearest(name, metrics)}", key, f"use one of {name_list(sorted(metrics), 40)}")
        for key, name in watched.items()
        if name not in metrics and not (key.startswith("callbacks.") and name.startswith("train/"))
    ]
    if faults:
        raise ConfigError(*{fault.what: fault for fault in reversed(faults)}.values())
    for key, node in nodes.items():
        better = metrics.get(watched.get(f"{key}.monitor", ""))
        if "mode" in node and better is not None and node["mode"] != MODES[better]:
            what = f"{key}.mode is {node['mode']}, and {better} of {watched[f'{key}.monitor']} is better"
            faults.append(Fault(what, f"{key}.mode", f"add {key}.mode={MODES[better]}"))
    if faults:
        raise ConfigError(*faults)


def component(node: dict | None, kind: type, key: str, *, remedy: str) -> Callable[..., Any]:
    """Partial that a node of the root config, under this key, builds; a ConfigError where it is null, or builds another kind."""
    if node is None:
        raise ConfigError(Fault(f"{key} is null, and this task needs a {kind.__name__}", key, f"choose one, such as {remedy}"))
    part = build(node)
    if not issubclass(part.func, kind):
        what = f"{part.func.__name__} is no {kind.__name__}, which this task needs"
        raise ConfigError(Fault(what, key, f"choose another, such as {remedy}"))
    return part


def facet(name: str, part: str) -> ModuleType:
    """Module of a task's folder, such as ("retrieval", "report"): on a higher floor than the task, so imported only when asked for.

    A ConfigError where the task has none.
    """
    module = f"recsys.task.{name}.{part}"
    if find_spec(module) is None:
        what = f"the task '{name}' has no {part}.py, which says how its runs are {'exported' if part == 'export' else 'reported'}"
        raise ConfigError(Fault(what, f"recsys/task/{name}", "choose a run of another task, or write it: docs/extending.md says how"))
    return import_module(module)
