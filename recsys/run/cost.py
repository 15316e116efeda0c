"""Cost of a run: seconds of its stages, rows of training, memory, and energy where the machine measures it."""

import ctypes
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
from recsys.run.progress import rows_seen

STAGES = ("prepare", "fit", "evaluate", "baselines", "test", "report")
LOOK_S = 60.0
"""Seconds between two looks at counters of energy."""
POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the counters of processor packages (RAPL), in microjoules; often for root alone."""
NVML = "libnvidia-ml.so.1"


class Cost(Callback):
    """Counts from the moment it is made; the first of the callbacks, so that a stage begins before others do anything in it.

    Stages do not overlap: evaluate is validation while fitting, after which what other callbacks do, such as checkpoints, is part of
    fitting again; fitting a baseline is no part of test.
    """

    def __init__(self):
        self.started = time.monotonic()
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.energy = Energy()
        self.rows = torch.zeros((), dtype=torch.int64)
        self.processes = 1

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds of the block."""
        begun = time.monotonic()
        yield
        self.seconds[name] += time.monotonic() - begun

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
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
        self.left = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds["evaluate"] += time.monotonic() - self.left

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds["fit"] += time.monotonic() - self.begun - self.seconds["evaluate"]

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = time.monotonic()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds["test"] += time.monotonic() - self.begun

    def save(self, path: Path, *, baselines_s: float) -> None:
        """Write cost.json: seconds of stages until now, rows, memory, energy; fitting baselines took `baselines_s` of the test."""
        total = time.monotonic() - self.started
        seconds = self.seconds | {"baselines": baselines_s, "test": self.seconds["test"] - baselines_s}
        rows = self.rows.item() * self.processes
        facts = {
            "seconds": {**seconds, "other": total - sum(seconds.values()), "total": total},
            "rows": rows,
            "rows_per_s": rows / seconds["fit"] if seconds["fit"] else None,
            "processes": self.processes,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else None,
            "energy_joules": self.energy.joules(),
        }
        write_whole(path, json.dumps(facts, indent=2) + "\n")


class Energy:
    """Joules since this was made, by the counters of all processor packages (RAPL, in `powercap`) and of one GPU, of all programs there.

    Nothing is guessed where a machine has no counter. A package's counter starts anew within the hour: look at it more often.
    """

    def __init__(self, powercap: Path = POWERCAP):
        counters = {zone: _number(zone) for zone in sorted(powercap.glob("*-rapl:*")) if zone.name.count(":") == 1}
        self.last = {zone: number for zone, number in counters.items() if number is not None}
        self.cpu_uj = 0
        self.gpu: torch.device | None = None
        self.gpu_start_mj: int | None = None

    def watch(self, device: torch.device) -> None:
        """From now on count this device too, if it is a GPU that tells."""
        if device.type == "cuda" and self.gpu is None:
            self.gpu, self.gpu_start_mj = device, _gpu_mj(device)

    def look(self) -> None:
        """Add what packages used since the last look."""
        for zone in self.last:
            now = _number(zone)
            if now is not None:
                passed = now - self.last[zone]
                self.cpu_uj += passed if passed >= 0 else passed + (_number(zone, "max_energy_range_uj") or 0)
                self.last[zone] = now

    def joules(self) -> dict[str, float]:
        """Joules of "cpu" and "gpu", each where it can be told."""
        self.look()
        joules = {"cpu": self.cpu_uj / 1e6} if self.last else {}
        if self.gpu is not None and self.gpu_start_mj is not None and (now := _gpu_mj(self.gpu)) is not None:
            joules["gpu"] = (now - self.gpu_start_mj) / 1e3
        return joules


def _number(zone: Path, name: str = "energy_uj") -> int | None:
    try:
        return int((zone / name).read_text())
    except (OSError, ValueError):  # not for this user, or no counter
        return None


def _gpu_mj(device: torch.device) -> int | None:
    """Millijoules since the GPU's driver was loaded; None where it does not say, as before Volta."""
    try:
        nvml = ctypes.CDLL(NVML)
    except OSError:
        return None
    handle, energy = ctypes.c_void_p(), ctypes.c_ulonglong()
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
    good = nvml.nvmlInit_v2() == 0
    good = good and nvml.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(handle)) == 0
    good = good and nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy)) == 0
    return energy.value if good else None
