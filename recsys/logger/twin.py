"""The report as Weights & Biases shows it: each table as a table, each drawing as it is, under the names that the report gives them."""

from pathlib import Path
from typing import Any

import wandb

from recsys.report.content import Figure, Grid, Report
from recsys.run.directory import REPORT

WHOLE = "report"
"""Key of the whole page."""


def log_report(talk: Any, run: Path, report: Report, *, step: int) -> None:
    """Hand a report on as one row of history.

    Args:
        talk: the run there.
        run: directory, whose report.html goes too where it stands.
        step: W&B's step of the row.
    """
    parts = {part.name: _shown(part) for section in report.sections for part in section.parts}
    if (run / REPORT).is_file():
        parts[WHOLE] = wandb.Html((run / REPORT).read_text(), inject=False)  # it has its own style
    talk.log(parts, step=step, commit=True)
    talk.summary["verdict"] = report.verdict


def _shown(part: Grid | Figure) -> wandb.Table | wandb.Html:
    if isinstance(part, Figure):
        return wandb.Html(f"<h3>{part.title}</h3>{part.svg}")
    grid = part.flat()
    rows = [list(row) for row in grid.rows]
    return wandb.Table(columns=list(grid.columns), data=rows, allow_mixed_types=True)  # a column may hold numbers and words
