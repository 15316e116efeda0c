"""The end of a run: its final metrics on disk, its table on the terminal and in the log."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from recsys.report.table import result_table

LOG_WIDTH = 100


def publish_result(metrics: Mapping[str, float], run: Path, *, name: str) -> None:
    """Write metrics.json, and show the table; the last line printed is `run: <path>`.

    Args:
        metrics: flat, as `result_table` reads them.
        run: the run directory.
        name: what the model is called.
    """
    (run / "metrics.json").write_text(json.dumps(dict(metrics), indent=2) + "\n")
    table = result_table(metrics, name)
    with (run / "train.log").open("a") as file:
        Console(file=file, width=LOG_WIDTH).print(table)
    Console().print(table)
    print(f"run: {run}")
