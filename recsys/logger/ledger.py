"""Hands metrics.jsonl on to Weights & Biases: every line once, in order, whatever was handed on before."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recsys.logger.runfile import STEP


class Ledger:
    """The lines of metrics.jsonl that a run of Weights & Biases does not have yet.

    A run that goes on writes the steps after its checkpoint a second time, and exactly the same: what is there already is left out. Where
    an allowed change of the config makes them differ, both are kept there, since nothing can be taken back.

    Args:
        path: of metrics.jsonl.
        held: {W&B's step: row} that are there.
        next_step: W&B's step of the next row.
        unknown: rows that are there too, and that nothing tells of any more; they are taken for the first lines that are not held.
    """

    def __init__(self, path: Path, held: Mapping[int, Mapping[str, Any]], next_step: int, *, unknown: int = 0):
        self.path = path
        self.next_step = next_step
        self.unknown = unknown
        self.held = {_text(row) for row in held.values()}
        self.position = 0

    def forward(self, log: Callable[[dict[str, Any], int], None]) -> None:
        """Hand on what was written since the last call.

        Args:
            log: takes a row and W&B's step of it.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.position)
            written = file.read()
        whole = written[: written.rfind(b"\n") + 1]  # the last line may be half-written
        self.position += len(whole)
        for line in whole.splitlines():
            row = row_of(json.loads(line))
            if (text := _text(row)) in self.held:
                continue
            self.held.add(text)
            if self.unknown:
                self.unknown -= 1
                continue
            log(row, self.next_step)
            self.next_step += 1

    def missing_from(self, held: Mapping[int, Mapping[str, Any]]) -> int:
        """How many of the rows handed on are not among these."""
        return len(self.held - {_text(row) for row in held.values()})


def row_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of metrics.jsonl as a row of history; null is not a number there."""
    values = {key: math.nan if value is None else value for key, value in line.items() if key != "step"}
    return {STEP: line["step"], **values}


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps({key: float(value) for key, value in row.items() if value is not None}, sort_keys=True)  # 0 is written for 0.0
