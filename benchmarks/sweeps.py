"""A sweep over a small shop that is killed twice, and the same trials with a pruner: what is lost, repeated and saved."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.base import options, show
from recsys.run.directory import LOGGED

HOME = Path(__file__).parent.parent
SPACE = "{optimizer.dense.lr: {low: 1e-6, high: 1.0, log: true}, loss.temperature: {low: 0.03, high: 0.3, log: true}}"
"""One or two of the six decades of the first dimension are good."""
FIXED = ("optimizer.tables.lr=1e-3", "model.dim=32", "model.id_dropout=0.1", "model.embedding_dim=32", "loader.batch_size=512")


def main(arguments: Sequence[str]) -> None:
    """Run the sweeps one after another."""
    parser = options("sweeps", __doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kills", type=int, default=2, help="kill -9 of the sweep and its trial, at random moments")
    parser.add_argument("--impressions", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        common = [*FIXED, f"hydra.sweeper.space={SPACE}", f"hydra.sweeper.trials={asked.trials}", f"trainer.max_epochs={asked.epochs}"]
        common += [f"data.source.num_impressions={asked.impressions}", f"data.source.num_users={asked.users}", "data.max_unknown_share=0.5"]
        common += [f"data.store={place}/store", "task.evaluation.intervals=0", "~callbacks.early_stopping"]
        found = {}
        for name, own, kills in (
            ("random", ["hydra.sweeper.sampler=random", "hydra.sweeper.pruner=null"], asked.kills),
            ("random+median", ["hydra.sweeper.sampler=random", "hydra.sweeper.pruner=median"], 0),
            ("tpe+median", ["hydra.sweeper.sampler=tpe", "hydra.sweeper.pruner=median"], 0),
        ):
            folder = Path(place) / name
            found[name] = _swept(folder, [*common, *own, f"hydra.sweep.dir={folder}"], kills)
    rows = [
        [name, str(kills), f"{told} of {asked.trials}", str(repeated), f"{steps:,}", f"{best:.4f}", f"{lr:.1e}", f"{passed_s:.0f} s"]
        for name, (kills, told, repeated, steps, best, lr, passed_s) in found.items()
    ]
    columns = ("sampler", "killed", "told", "finished twice", "steps", "recall@20", "its lr", "time")
    saved = 1 - found["random+median"][3] / found["random"][3]
    show(
        "Sweeps over the shop: the best recall@20 of validation",
        columns,
        rows,
        [f"The median pruner saves {100 * saved:.0f} % of the steps of the same trials."],
    )


def _swept(folder: Path, overrides: Sequence[str], kills: int) -> tuple[int, int, int, int, float, float, float]:
    """(kills, trials told, trials finished twice, training steps, best value, its learning rate, seconds) of a sweep."""
    command = [sys.executable, str(HOME / "train.py"), "-m", "sweep=retrieval", *overrides]
    moments = random.Random(0)
    started = time.monotonic()
    for kill in range(kills):
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        while len(list(folder.glob("trial-*"))) < 4 * (kill + 1):
            if process.poll() is not None:
                raise RuntimeError(f"the sweep ended with exit code {process.returncode}; run it alone: {' '.join(command)}")
            time.sleep(0.1)
        time.sleep(moments.uniform(0, 15))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    passed_s = time.monotonic() - started
    table = pl.read_parquet(folder / "trials.parquet").sort("rank", nulls_last=True)
    ended = [path.read_text().count("\nrun: ") for path in folder.glob("trial-*/output.log")]
    steps = sum(_steps(folder / run) for run in table["run"])
    best = table.row(0, named=True)
    return kills, len(table), sum(max(0, count - 1) for count in ended), steps, best["val/recall@20"], best["optimizer.dense.lr"], passed_s


def _steps(run: Path) -> int:
    """Optimizer steps of the training of a run."""
    log = run / LOGGED  # none where it failed before its first evaluation
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return max((line["step"] for line in lines if "val/recall@20" in line), default=-1) + 1
