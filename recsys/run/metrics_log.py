"""Every logged value of a run, one JSON object per line: the local truth beside any other logger."""

import json
import math
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from recsys.disk import sync, writing
from recsys.errors import Fault, IntegrityError


class MetricsLog(Logger):
    """Appends {"step": ..., "epoch": ..., "<key>": value} to a file, usually `<run>/metrics.jsonl`; a value that is not finite is null."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self._end: int | None = None  # where the next line begins, if not at the end of the file

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one line."""
        epoch = {"epoch": int(metrics["epoch"])} if "epoch" in metrics else {}
        values = {key: value if math.isfinite(value) else None for key, value in metrics.items() if key != "epoch"}
        with writing(self.path), self.path.open("a") as file:  # opened per line: a killed run loses none
            if self._end is not None:
                file.truncate(self._end)
                self._end = None
            file.write(json.dumps({"step": step, **epoch, **values}) + "\n")

    def position(self) -> int:
        """Size of the file in bytes, all of them on disk."""
        if self._end is not None or not self.path.exists():
            return self._end or 0
        sync(self.path)
        return self.path.stat().st_size

    @rank_zero_only
    def rewind(self, position: int) -> None:
        """Cut the file to this size when the next line comes, since later steps are logged again; an IntegrityError where it is smaller."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < position:
            what = f"it has {size:,} bytes, and {position:,} when the checkpoint was written"
            raise IntegrityError(Fault(what, str(self.path), "restore it from a copy, or train again"))
        self._end = position

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Nothing: config.yaml holds them."""
