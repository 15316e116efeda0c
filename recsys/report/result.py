"""The end of a run: its final metrics on disk, its table on the terminal and in the log."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from recsys.disk import write_whole
from recsys.report.run import write_page
from recsys.report.terminal import results_view
from recsys.run.directory import LOG, REPORT, RESULT
from recsys.task.base import facet

log = logging.getLogger(__name__)
LOG_WIDTH = 100


def publish_result(metrics: Mapping[str, float], run: Path, *, task: str, model: str, notes: Sequence[str]) -> None:
    """Write metrics.json and report.html, and print the table of results; the last line printed is `run: <path>`.

    Args:
        metrics: flat.
        run: the run directory.
        task: name of the task's folder, which knows what its table holds.
        model: name of the model in that table.
        notes: lines to print below the table, such as why a baseline is missing.
    """
    report = facet(task, "report")
    verdict = " ".join(outcome.verdict for outcome in report.outcomes(metrics, model))
    table = results_view(report.tables(metrics, model), verdict)
    write_whole(run / RESULT, json.dumps(dict(metrics), indent=2) + "\n")
    with (run / LOG).open("a") as file:
        _show(Console(file=file, width=LOG_WIDTH), table, notes)
    _show(Console(), table, notes)
    _page(run)
    print(f"run: {run}")


def _page(run: Path) -> None:
    try:
        write_page(run)
    except Exception as error:  # the run is finished, and its results are safe: a drawing is no reason to call it failed
        log.exception("no %s", REPORT)
        print(f"no {REPORT}: {' '.join(str(error).split())}")


def _show(console: Console, table: RenderableType, notes: Sequence[str]) -> None:
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
