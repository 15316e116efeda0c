"""What a run costs: seconds of its stages, rows of training, memory, and energy where the machine measures it."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from recsys.batch import Batch
from recsys.disk import write_whole
from recsys.run.energy import Energy
from recsys.run.progress import rows_seen

STAGES = ("prepare", "fit", "evaluate", "baselines", "test", "report")
LOOK_S = 60.0
"""Seconds between two looks at counters of energy."""


class Cost(Callback):
    """Counts from the moment it is made; the first of the callbacks, so that a stage begins before others do anything in it.

    Stages do not overlap: evaluate is validation while fitting, and fitting a baseline is no part of test.

    Attributes:
        seconds: {stage: so far}.
    """

    def __init__(self):
        self.started = time.monotonic()
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.energy = Energy()
        self.rows = torch.zeros((), dtype=torch.int64)
        self.processes = 1

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what happens inside."""
        begun = time.monotonic()
        yield
        self.seconds[name] += time.monotonic() - begun

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fitting begins."""
        self.begun = self.looked = time.monotonic()
        self.rows = self.rows.to(pl_module.device)
        self.energy.watch(pl_module.device)
        self.processes = trainer.world_size

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Counts rows where they are."""
        self.rows += rows_seen(batch)
        if time.monotonic() - self.looked > LOOK_S:
            self.energy.look()
            self.looked = time.monotonic()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluating is no fitting."""
        self.left = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Back to fitting; what other callbacks do from here on, such as checkpoints, is part of it."""
        self.seconds["evaluate"] += time.monotonic() - self.left

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fitting is over."""
        self.seconds["fit"] += time.monotonic() - self.begun - self.seconds["evaluate"]

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The test begins, with its baselines."""
        self.begun = time.monotonic()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The test is over."""
        self.seconds["test"] += time.monotonic() - self.begun

    def save(self, path: Path, *, baselines_s: float) -> None:
        """Write cost.json: seconds of every stage until now, rows, memory, energy.

        Args:
            baselines_s: seconds of the test that baselines took to fit.
        """
        write_whole(path, json.dumps(self._facts(baselines_s), indent=2) + "\n")

    def _facts(self, baselines_s: float) -> dict:
        total = time.monotonic() - self.started
        seconds = self.seconds | {"baselines": baselines_s, "test": self.seconds["test"] - baselines_s}
        rows = self.rows.item() * self.processes
        return {
            "seconds": {**seconds, "other": total - sum(seconds.values()), "total": total},
            "rows": rows,
            "rows_per_s": rows / seconds["fit"] if seconds["fit"] else None,
            "processes": self.processes,
            "peak_memory_bytes": _peak_memory(),
            "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else None,
            "energy_joules": self.energy.joules(),
        }


def _peak_memory() -> int:
    """Most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in kB
