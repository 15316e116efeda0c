"""The report at Weights & Biases: tables and drawings under their names, and a saved page, which needs `pip install -e '.[wandb]'`."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import wandb

from recsys.logger.destination import Destination
from recsys.logger.ledger import STEP
from recsys.report.content import Figure, Grid, Report, Section
from recsys.run.directory import REPORT

WHOLE = "report"
"""Key of report.html."""
PACKAGE = "wandb_workspaces"
WIDTH, HEIGHT = 24, 12
"""Size of a panel; a page is 24 wide."""
LONGEST_TITLE = 128
CURVES = {"Training": "^train/.*loss$", "Validation": "^val/"}
"""{title of a plot: pattern of the keys it draws as they come}."""


def log_report(talk: Any, run: Path, report: Report, *, step: int) -> None:
    """Send a report as one row of history, whose number is `step`, with the run's report.html where it stands; `talk` is the run there."""
    parts = {part.name: _media(part) for section in report.sections for part in section.parts}
    if (run / REPORT).is_file():
        parts[WHOLE] = wandb.Html((run / REPORT).read_text(), inject=False)  # it has its own style
    talk.log(parts, step=step, commit=True)
    talk.summary["verdict"] = report.verdict


def _media(part: Grid | Figure) -> wandb.Table | wandb.Html:
    if isinstance(part, Figure):
        return wandb.Html(f"<h3>{part.title}</h3>{part.svg}")
    grid = part.flat()
    rows = [list(row) for row in grid.rows]
    return wandb.Table(columns=list(grid.columns), data=rows, allow_mixed_types=True)  # a column may hold numbers and words


def save_page(run: Path, destination: Destination, report: Report, *, entity: str) -> None:
    """Save the page, in place of an earlier one of this run; without the package there is none."""
    if find_spec(PACKAGE) is None:
        return
    page = report_page(destination, report, entity=entity)
    page.id = destination.page or ""
    page.save()
    replace(destination, page=page.id).save(run)


def report_page(destination: Destination, report: Report, *, entity: str) -> Any:
    """The page, not saved: verdict, facts, the curves as Weights & Biases draws them, and every section of the report."""
    import wandb_workspaces.reports.v2 as wr

    def panel_grid(panel: Any) -> Any:
        runs = wr.Runset(entity=entity, project=destination.project, name="This run", filters=f"ID = '{destination.id}'")
        return wr.PanelGrid(runsets=[runs], panels=[panel])

    layout = wr.Layout(w=WIDTH, h=HEIGHT)
    blocks: list[Any] = [*(wr.P(line) for line in report.verdict.splitlines())]
    blocks.append(wr.UnorderedList(items=[f"{name}: {value}" for name, value in report.facts]))
    blocks.append(wr.H2("Live curves"))
    blocks += [panel_grid(wr.LinePlot(title=title, x=STEP, metric_regex=keys, layout=layout)) for title, keys in CURVES.items()]
    for section in report.sections:
        blocks += [wr.H2(section.title), *(wr.P(text) for text in section.text)]
        blocks += [panel_grid(panel) for panel in _panels(wr, section, layout)]
    title = f"{report.title}: {destination.name}"[:LONGEST_TITLE]
    return wr.Report(project=destination.project, entity=entity, title=title, blocks=blocks, width="fluid")


def _panels(wr: Any, section: Section, layout: Any) -> Iterator[Any]:
    for part in section.parts:
        match part:
            case Grid():
                yield wr.WeavePanelSummaryTable(table_name=part.name, layout=layout)
            case Figure():
                yield wr.MediaBrowser(title=part.title, media_keys=[part.name], num_columns=1, layout=layout)
