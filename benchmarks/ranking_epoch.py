"""One epoch of MMoE with 4 experts over wide impressions, and the memory it takes at twice the rows."""

import logging
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from pytorch_lightning import Callback

from benchmarks.base import composed, options, show
from benchmarks.fit import fit
from benchmarks.impressions import impression_overrides, write_impressions
from benchmarks.memory import give_back, memory

NUMBERS = 13
SIZES = {f"category_{at}": 10 ** (1 + at % 5) for at in range(17)}
"""30 columns: 13 numbers, and categories of 10 to 100,000 values."""


def main(arguments: list[str]) -> None:
    """Train on half of the rows, then on all; the table."""
    parser = options("ranking_epoch", __doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="training impressions (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", help="of train.py, such as trainer=gpu loader.device_resident=true")
    chosen = parser.parse_args(arguments)
    table = []
    for rows in (chosen.rows // 2, chosen.rows):
        # a process of its own: its memory is that of this training alone
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            trained, epoch, before, peak = process.submit(measured, rows, chosen.overrides).result()
        spent = sum(epoch.values())
        table.append((f"{trained:,}", f"{spent:.1f} s", f"{trained / spent:,.0f}", f"{(peak - before) / 2**20:,.0f} MiB"))
        table += [(f"  {phase}", f"{seconds:.1f} s", f"{seconds / spent:.0%}", "") for phase, seconds in epoch.items()]
    title = f"An epoch of MMoE, 4 experts, {NUMBERS + len(SIZES)} columns"
    notes = (
        "Memory: what training adds, mapped files apart. The batch decides it, but for 8 bytes a row, the order of an epoch.",
        "Goal: 2,000,000 rows in at most 60 s on 2 cores.",
    )
    show(title, ("rows", "time", "rows/s, share", "memory"), table, notes)


def measured(rows: int, overrides: list[str]) -> tuple[int, dict[str, float], int, int]:
    """Training rows, seconds of the phases of the epoch, bytes before it, and at most in it."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        folder, total = Path(scratch), round(rows / 0.8)  # the split holds out a fifth
        write_impressions(folder, rows=total, sizes=SIZES, numbers=NUMBERS)
        wide = impression_overrides(folder, sizes=SIZES, numbers=NUMBERS)
        config = composed(*wide, "loader.batch_size=4096", "trainer.precision=auto", "trainer.max_epochs=1", *overrides)
        watched = MemoryWatch()
        done = fit(config, folder, callbacks=[watched])
    return done.rows, done.epoch, watched.before, watched.highest


class MemoryWatch(Callback):
    """Memory of the process without mapped files, in bytes.

    Attributes:
        before: as training starts, with the model.
        highest: after any step.
    """

    def on_train_start(self, trainer, pl_module) -> None:
        """Before the first step."""
        give_back()  # what preparing used
        self.before = self.highest = memory("RssAnon")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx: int) -> None:
        """After a step."""
        self.highest = max(self.highest, memory("RssAnon"))
