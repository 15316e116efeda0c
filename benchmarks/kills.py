"""Runs that are killed and go on, compared with runs that were left alone: weights, optimizer, metrics, every step once."""

import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.base import composed, options, show
from benchmarks.interrupted_run import POINTS, exit_code_of_training, file_hashes, loads, steps_logged
from recsys.config import TrainConfig

TINY = (
    "data.source.num_users=200",
    "data.source.num_items=300",
    "data.source.num_impressions=12000",
    "data.max_unknown_share=0.5",
    "trainer.max_epochs=3",
    "trainer.log_every_n_steps=1",
    "task.evaluation.intervals=0",
    "checkpoint.every_s=0.05",
)
TASKS = {
    "retrieval": ("loader.batch_size=64", "model.dim=8", "model.embedding_dim=8", "candidates=queue"),
    "ranking": ("task=ranking", "loader.batch_size=512", "model.input.embedding_dim=4", "model.expert_hidden=[8]"),
}
WORKERS = (0, 2)
FAR = Path("/dev/shm")
"""A disk that no run directory lies on."""


@dataclass
class Cell:
    """What became of the runs of one task, number of workers and place of TMPDIR."""

    killed: int = 0
    same: int = 0
    unloadable: int = 0
    differ: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> None:
    """Kill and go on, in all cells; the table."""
    parser = options("kills", __doc__)
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed, each once, in every cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    rows, started = [], time.monotonic()
    with tempfile.TemporaryDirectory() as near, tempfile.TemporaryDirectory(dir=FAR) as far:
        for task, parts in TASKS.items():
            for workers in WORKERS:
                config = composed(*TINY, *parts, f"loader.num_workers={workers}", f"data.store={near}/store")
                for name, temporary in (("same", near), ("another", far)):
                    cell = tried(config, Path(near) / f"{task}-{workers}-{name}", Path(temporary), chosen.kills, chosen.seed)
                    rows.append((f"{task}, {workers} workers, TMPDIR on {name} disk", *cells(cell)))
    notes = [f"{', '.join(POINTS)}; {time.monotonic() - started:,.0f} s"]
    show("Killed runs that went on", ("cell", "killed", "ended the same", "unloadable checkpoints"), rows, notes)


def tried(config: TrainConfig, folder: Path, temporary: Path, kills: int, seed: int) -> Cell:
    """Kill so many runs once each, let them go on to their end, and compare what they leave with a run that was not killed."""
    alone = folder / "alone"
    assert exit_code_of_training(config, alone, temporary=temporary) == 0, alone.with_suffix(".log").read_text()
    wanted, steps = file_hashes(alone), steps_logged(alone)
    assert steps == list(range(len(steps)))
    generator, cell, place = random.Random(f"{seed} {folder.name}"), Cell(), 0
    while cell.killed < kills:
        point, run, place = POINTS[place % len(POINTS)], folder / str(place), place + 1
        if exit_code_of_training(config, run, temporary=temporary, point=point, moment=moment(point, generator, len(steps))) != -9:
            continue  # it was over before
        cell.killed += 1
        cell.unloadable += not loads(run)
        ended = exit_code_of_training(config, run, temporary=temporary)
        assert ended == 0, run.with_suffix(".log").read_text()
        found = file_hashes(run)
        apart = [name for name in wanted if found[name] != wanted[name]]
        cell.same += not apart
        cell.differ += [f"{point}: {', '.join(apart)}"] * bool(apart)
    return cell


def moment(point: str, generator: random.Random, steps: int) -> float:
    """When: seconds for a random one, calls before for the others."""
    calls = {"step": steps, "mid-log": steps, "mid-validation": 3, "mid-test": 1, "random": 0}.get(point, 6)
    return generator.uniform(0, 3) if point == "random" else generator.randrange(calls)


def cells(cell: Cell) -> tuple[str, str, str]:
    """A row of the table, and on stderr nothing: what differs stands in the row."""
    said = "".join(f"; {entry}" for entry in cell.differ)
    return str(cell.killed), f"{cell.same} of {cell.killed}{said}", str(cell.unloadable)
