"""Report facet of ranking: its tables and words, its sections, and how runs are compared."""

from collections.abc import Iterator

from recsys.metric.binary import METRICS
from recsys.report.content import Grid, Section
from recsys.report.curves import curves_section
from recsys.report.grids import Metrics, Outcome
from recsys.run.directory import PREDICTIONS, RELIABILITY, RunDirectory
from recsys.task.ranking.report import labels, pair
from recsys.task.ranking.report.compare import REMEDY, RESAMPLES, incomparable, measurements
from recsys.task.ranking.report.predictions import calibration_section, confusion_section, mistakes_section

__all__ = ["REMEDY", "RESAMPLES", "incomparable", "measurements"]
FILES = (PREDICTIONS, RELIABILITY)
"""Files of a run of this task that its report reads."""


def outcomes(metrics: Metrics, model: str) -> list[Outcome]:
    """The model among its baselines, label by label; behind a retriever also the orders of its candidates."""
    of_labels = [labels.outcome(metrics, label, model) for label in labels.labels_to_show(metrics)]
    behind = pair.outcome(metrics)
    return of_labels if behind is None else [*of_labels, behind]


def tables(metrics: Metrics, model: str) -> list[Grid]:
    """Tables of the terminal; groups have one for all labels."""
    groups = labels.groups(metrics, [next(metric for metric in METRICS if metric.groups)])
    others = (labels.worth_of_bias(metrics, model), groups)
    return [*(outcome.table for outcome in outcomes(metrics, model)), *(grid for grid in others if grid is not None)]


def tested_on(run: RunDirectory) -> str:
    """Number of impressions that the test predicted, in words."""
    return f"{run.data['split']['test']['rows']:,} impressions"


def sections(run: RunDirectory) -> Iterator[Section | None]:
    """Sections of a report on this task, before data, cost and limits."""
    yield labels.section(run)
    yield pair.section(run)
    yield calibration_section(run)
    yield confusion_section(run)
    yield labels.section_of_groups(run)
    yield mistakes_section(run)
    of_labels = labels.labels_to_show(run.metrics)
    panels = {
        "validation": ("Validation", [f"val/{label}/auc" for label in of_labels]),
        "numbers": ("Validation of numbers", [f"val/{label}/rmse" for label in of_labels]),
    }
    yield curves_section(run, panels)


def limits(run: RunDirectory) -> Iterator[str]:
    """Limits of the figures of this task."""
    yield "Only rows that were shown are predicted here: of items that an earlier system did not show nothing is known."
    for label in labels.labels_of_test(run.metrics):
        rows, positives = (run.metrics.get(f"test/{label}/{name}") for name in ("rows", "positives"))
        if positives is not None and positives in (0, rows):
            yield f"{label} has rows of one class alone in the test, so AUC and what needs both have no value."
