"""Lines of metrics.jsonl for Weights & Biases: each once and in order, whatever was sent before."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recsys.disk import write_whole
from recsys.run.directory import LOGGED

SENT = "wandb.jsonl"
"""File of the run directory with what was sent: line n is W&B's row n, a line of metrics.jsonl, or empty for a report."""
STEP = "trainer/step"
"""The axis of every metric."""


class Ledger:
    """The lines of metrics.jsonl that a run of Weights & Biases does not have yet; `next_row` is W&B's step of the next one.

    A run that goes on writes the steps after its checkpoint a second time, and exactly the same: lines that were sent are left out.
    Where an allowed change of the config makes lines differ, W&B keeps both, since nothing can be taken back there.

    Args:
        arrived: number of rows that W&B's server has; None: the run is kept offline, in files that have every row that was sent.
    """

    def __init__(self, run: Path, *, arrived: int | None = None):
        self.metrics, self.sent = run / LOGGED, run / SENT
        before = self.sent.read_text().split("\n")[:-1] if self.sent.exists() else []  # the last line may be half-written
        rows = before[:arrived]
        write_whole(self.sent, "".join(f"{row}\n" for row in rows))
        self.next_row = len(rows) if arrived is None else arrived
        self._unknown = self.next_row - len(rows)
        """Rows of W&B that no file names; they are taken for the first lines that were not sent."""
        self._sent_lines = set(rows)
        self._position = 0

    def forward(self, log: Callable[[dict[str, Any], int], None]) -> None:
        """Call `log` with each row that was written since the last call, and its number."""
        for line in self._new_lines():
            if line in self._sent_lines:
                continue
            self._sent_lines.add(line)
            if self._unknown:
                self._unknown -= 1
            else:
                log(row_of(json.loads(line)), self.next_row)
                self.next_row += 1
            self._append(line)

    def add_report(self) -> None:
        """Note that a report was sent as the next row."""
        self._append("")
        self.next_row += 1

    def _new_lines(self) -> list[str]:
        if not self.metrics.exists():
            return []
        with self.metrics.open("rb") as file:
            file.seek(self._position)
            written = file.read()
        complete = written[: written.rfind(b"\n") + 1]  # the last line may be half-written
        self._position += len(complete)
        return complete.decode().splitlines()

    def _append(self, line: str) -> None:
        with self.sent.open("a") as file:
            file.write(f"{line}\n")


def row_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of metrics.jsonl as a row of W&B, where null is not a number.

    Example:
        >>> row_of({"step": 3, "train/loss": 0.5, "val/auc": None})
        {'trainer/step': 3, 'train/loss': 0.5, 'val/auc': nan}
    """
    values = {key: math.nan if value is None else value for key, value in line.items() if key != "step"}
    return {STEP: line["step"], **values}
