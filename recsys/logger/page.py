"""A saved report page of Weights & Biases that shows what the run sent there; it needs `pip install -e '.[wandb]'`."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsys.logger.destination import Destination
from recsys.logger.ledger import STEP
from recsys.report.content import Figure, Grid, Report, Section

PACKAGE = "wandb_workspaces"
WIDTH, HEIGHT = 24, 12
"""Of a panel; a page is 24 wide."""
LONGEST_TITLE = 128
CURVES = {"Training": "^train/.*loss$", "Validation": "^val/"}
"""{title of a plot: pattern of the keys it draws as they come}."""


def save_page(run: Path, destination: Destination, report: Report, *, entity: str) -> None:
    """Save the page, in place of the one that was saved of this run before; without the package there is none."""
    if find_spec(PACKAGE) is None:
        return
    page = report_page(destination, report, entity=entity)
    page.id = destination.page or ""
    page.save()
    replace(destination, page=page.id).save(run)


def report_page(destination: Destination, report: Report, *, entity: str) -> Any:
    """The page, not saved: verdict, facts, the curves as Weights & Biases draws them, and every section of the report."""
    import wandb_workspaces.reports.v2 as wr

    def panels(*found: Any) -> Any:
        runs = wr.Runset(entity=entity, project=destination.project, name="This run", filters=f"ID = '{destination.id}'")
        return wr.PanelGrid(runsets=[runs], panels=list(found))

    layout = wr.Layout(w=WIDTH, h=HEIGHT)
    blocks: list[Any] = [*(wr.P(line) for line in report.verdict.splitlines())]
    blocks.append(wr.UnorderedList(items=[f"{name}: {value}" for name, value in report.facts]))
    blocks.append(wr.H2("Live curves"))
    blocks += [panels(wr.LinePlot(title=title, x=STEP, metric_regex=keys, layout=layout)) for title, keys in CURVES.items()]
    for section in report.sections:
        blocks += [wr.H2(section.title), *(wr.P(text) for text in section.text)]
        blocks += [panels(panel) for panel in _panels(wr, section, layout)]
    title = f"{report.title}: {destination.name}"[:LONGEST_TITLE]
    return wr.Report(project=destination.project, entity=entity, title=title, blocks=blocks, width="fluid")


def _panels(wr: Any, section: Section, layout: Any) -> Iterator[Any]:
    for part in section.parts:
        match part:
            case Grid():
                yield wr.WeavePanelSummaryTable(table_name=part.name, layout=layout)
            case Figure():
                yield wr.MediaBrowser(title=part.title, media_keys=[part.name], num_columns=1, layout=layout)
