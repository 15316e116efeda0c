"""What train.py does from the files to the last step, with a clock; nothing is evaluated or kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytorch_lightning import Callback, seed_everything
from torch import nn

from benchmarks.clock import StepClock, now
from recsys.config import TrainConfig, build
from recsys.data.store import Store
from recsys.data.store.prepare import store_of
from recsys.run.hardware import build_trainer
from recsys.run.process import keep_memory
from recsys.task.ranking import Ranking


@dataclass(frozen=True)
class Fitted:
    """A finished training.

    Attributes:
        seconds: from the raw files to the last step, with preparing.
        epochs: seconds of the phases of each epoch, as in `StepClock`.
        store: what was trained on.
        rows: training events of an epoch; impressions, for a ranker.
        model: what was trained.
    """

    seconds: float
    epochs: list[dict[str, float]]
    store: Store
    rows: int
    model: nn.Module

    @property
    def epoch(self) -> dict[str, float]:
        """The last epoch's phases; the first also warms up."""
        return self.epochs[-1]

    @property
    def speed(self) -> float:
        """Rows/s of the fastest epoch."""
        return self.rows / min(sum(epoch.values()) for epoch in self.epochs)


def fit(config: TrainConfig, folder: Path, *, callbacks: Sequence[Callback] = ()) -> Fitted:
    """Prepare, build and train.

    Args:
        folder: for whatever Lightning writes.
        callbacks: that look on.
    """
    seed_everything(config.seed, workers=True, verbose=False)
    keep_memory()
    started = now()
    source, task = build(config.data.source), build(config.task)
    store = store_of(config.data, source)
    parts = task.parts(config, store, source)
    clock = StepClock()
    trainer = build_trainer(config.trainer)(callbacks=[clock, *callbacks], logger=False, default_root_dir=folder, limit_val_batches=0)
    trainer.fit(parts.module, datamodule=parts.loader)
    seconds = now() - started
    trained = store.split if isinstance(task, Ranking) else store.event_split
    return Fitted(seconds, clock.epochs, store, int((trained == 0).sum()), parts.module.model)
