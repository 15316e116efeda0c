"""Writing a checkpoint beside the disk's own speed, and how long training waits for it."""

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import torch
from torch import nn

from benchmarks.base import options, show
from recsys.run.checkpoint import write_checkpoint
from recsys.run.lightning_internals import Place
from recsys.run.saver import Checkpoints

MOMENTS = 2
"""Tensors of the optimizer's state for each of the weights, as Adam has them."""
PLACE = Place(epoch=0, batches=1, batches_in_epoch=1, steps=1, validation_due=False, epoch_ends=False, stopped=False)
PIECE = 1 << 24


def main(arguments: list[str]) -> None:
    """Write as often as asked, in turns; the table."""
    parser = options("checkpoint", __doc__)
    parser.add_argument("--megabytes", type=int, default=500, help="of the checkpoint: weights and two moments (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each way; medians are shown (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write (default: here)")
    chosen = parser.parse_args(arguments)
    size = chosen.megabytes * 1_000_000
    module = trained(size)
    seconds: dict[str, list[float]] = {"disk": [], "checkpoint": [], "waited": []}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as scratch:
        folder = Path(scratch)
        for number in range(chosen.rounds):
            seconds["disk"].append(plainly(folder / "plain", size))
            seconds["checkpoint"].append(written(module, folder / f"whole-{number}"))
            seconds["waited"].append(waited(module, folder / f"aside-{number}"))
    disk, checkpoint, wait = (median(each) for each in seconds.values())
    rows = [
        ("plain file, synced", f"{disk:.2f}", f"{size / disk / 1e6:,.0f}", ""),
        ("checkpoint, synced and hashed", f"{checkpoint:.2f}", f"{size / checkpoint / 1e6:,.0f}", f"{disk / checkpoint:.0%} of the disk"),
        ("training waits", f"{wait:.2f}", "", ""),
    ]
    show(
        f"A checkpoint of {chosen.megabytes:,} MB", ("", "s", "MB/s", ""), rows, [f"medians of {chosen.rounds}; goals: 60 %, less than 1 s"]
    )


def trained(size: int) -> SimpleNamespace:
    """What a callback sees of a trainer whose weights and moments have so many bytes."""
    rows = size // (1 + MOMENTS) // 4 // 1000
    module = nn.Module()
    module.model = nn.Linear(1000, rows, bias=False)
    optimizer = torch.optim.Adam(module.parameters())
    module.model.weight.grad = torch.zeros_like(module.model.weight)
    optimizer.step()
    return SimpleNamespace(module=module, optimizers=[optimizer])


def trainer_of(trained: SimpleNamespace, folder: Path) -> SimpleNamespace:
    """A trainer at rest."""
    return SimpleNamespace(
        optimizers=trained.optimizers,
        lr_scheduler_configs=[],
        precision_plugin=SimpleNamespace(state_dict=dict),
        callbacks=[],
        loggers=[],
        callback_metrics={},
        world_size=1,
        is_global_zero=True,
        global_step=1,
        default_root_dir=str(folder),
    )


def plainly(path: Path, size: int) -> float:
    """Seconds to write and sync a file of zeros that are not sparse."""
    piece, started = os.urandom(PIECE), time.perf_counter()
    with path.open("wb") as file:
        for start in range(0, size, PIECE):
            file.write(piece[: size - start])
        file.flush()
        os.fsync(file.fileno())
    spent = time.perf_counter() - started
    path.unlink()
    return spent


def written(trained: SimpleNamespace, folder: Path) -> float:
    """Seconds to write and publish all of it."""
    states = trained.optimizers[0].state.values()
    moments = {f"{number}/{name}": tensor for number, state in enumerate(states) for name, tensor in state.items()}
    started = time.perf_counter()
    write_checkpoint(trained.module.model.state_dict(), folder, about={"step": 1}, state=(moments, {}))
    return time.perf_counter() - started


def waited(trained: SimpleNamespace, folder: Path) -> float:
    """Seconds until training goes on, while a thread writes."""
    checkpoints = Checkpoints("val/score", "max")
    started = time.perf_counter()
    checkpoints._save(trainer_of(trained, folder), trained.module, PLACE)
    spent = time.perf_counter() - started
    checkpoints._wait()
    return spent
