"""How good a released model is, in Markdown, from flat metrics alone."""

from collections.abc import Mapping
from dataclasses import replace

from recsys.metric.declaration import Declaration
from recsys.report.content import Grid, Row, number
from recsys.report.grids import Metrics
from recsys.report.markdown import grid_blocks, prose
from recsys.report.sections.groups import METRIC
from recsys.task.base import facet

UNTESTED = "These weights were not tested: the figures are of validation, which they may have been chosen by."
TESTED = "Validation chose the weights; the test was looked at once, at the end. In brackets: 95 % intervals."


def quality(metrics: Metrics, names: Mapping[str, str]) -> list[str]:
    """Blocks of Markdown: for each task the model among its baselines, with a verdict, and its groups, worst first.

    Args:
        metrics: of the exported weights; of weights that were not tested, those of validation.
        names: {task: what its model is called}.
    """
    blocks: list[str] = []
    for task, model in names.items():
        report = facet(task, "report")
        tested = bool(report.outcomes(metrics, model))
        validated = {f"test/{key[4:]}": value for key, value in metrics.items() if key.startswith("val/")}
        outcomes = report.outcomes(metrics if tested else validated, model)
        blocks += [TESTED if tested else UNTESTED] if outcomes else []
        for outcome in outcomes:
            blocks += [f"### {prose(outcome.table.title)}", *([prose(outcome.verdict)] if tested else []), *grid_blocks(outcome.table)]
            if outcome.groups is not None and outcome.metric is not None:
                blocks += [f"{prose(outcome.groups.title)}, worst first:", *grid_blocks(_worst_first(outcome.groups, outcome.metric))]
    return list(dict.fromkeys(blocks))


def _worst_first(groups: Grid, metric: Declaration) -> Grid:
    """Groups by their first metric."""

    def goodness(row: Row) -> float:
        value = number(row[METRIC])
        assert isinstance(value, int | float), "groups without their first metric are left out"
        return metric.order * value

    return replace(groups, rows=tuple(sorted(groups.rows, key=goodness)))
