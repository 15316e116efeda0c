"""Results of a ranker, label by label, beside baselines and the truth, and by groups of impressions."""

import re
from collections.abc import Sequence
from dataclasses import replace

from recsys.metric import binary, regression
from recsys.metric.declaration import Declaration, usual_columns
from recsys.report.content import Grid, Mark, Row, Section, number
from recsys.report.grids import MODEL, Metrics, Outcome, beside_baselines, by_groups, groups_section, headline, table_figure, verdict
from recsys.run.directory import RunDirectory

TEXT = (
    "Every impression of the test was predicted once. Validation chose the weights; the test was looked at once, at the end. "
    "Intervals are of 95 %, over users; a label that is given another is measured where that one is 1."
)
WITH_BIAS = "with_bias/"
"""Before the keys of what is measured with bias columns known."""
SERVED = (
    "A served graph has no bias columns, such as the position in a page: they are unknown in every other figure, for the model, for "
    "baselines and for the truth. Those who know them would have the values on the right."
)


def declarations() -> tuple[Declaration, ...]:
    """Every metric of labels: of 0/1 ones, then of numbers."""
    return (*binary.METRICS, *regression.METRICS)


def labels_of_test(metrics: Metrics) -> list[str]:
    """Labels, and funnels of labels, that the test has rows of, in the order they were logged."""
    return list(dict.fromkeys(match[1] for key in metrics if (match := re.fullmatch(rf"{MODEL}([^=/]+)/rows", key))))


def labels_to_show(metrics: Metrics) -> list[str]:
    """Labels and funnels that have a metric to show."""
    return [label for label in labels_of_test(metrics) if columns(metrics, label)]


def columns(metrics: Metrics, label: str) -> dict[str, Declaration]:
    """Metrics to show of a label beside baselines; the first orders and judges."""
    return usual_columns([metric for metric in declarations() if metric.beside], metrics, f"{MODEL}{label}/")


def outcome(metrics: Metrics, label: str, model: str) -> Outcome:
    """The result of the test in one label."""
    rows, positives = (metrics.get(f"{MODEL}{label}/{name}") for name in ("rows", "positives"))
    title = f"{label}: {rows or 0:,.0f} impressions" + ("" if positives is None else f", {positives:,.0f} positive")
    of_label = columns(metrics, label)
    first = next(iter(of_label.values()))
    table = beside_baselines(metrics, of_label, name=f"baselines/{label}", title=title, model=model, subject=f"{label}/")
    ends = {metric.heading or metric.name: f"{label}/{metric.name}" for metric in of_label.values() if metric.groups}
    sizes, title = {f"{label}/rows": "rows"}, f"{label} by groups"
    of_groups = by_groups(metrics, ends, name=f"slices/{label}", title=title, sizes=sizes, bars=first.chance)
    return Outcome(table, verdict(table, first, label), of_groups, first)


def worth_of_bias(metrics: Metrics, model: str) -> Grid | None:
    """Each label as served, and with bias columns known; None where there are none, or where they change no label."""
    rows: list[Row] = []
    marks: list[Mark] = []
    for label in labels_to_show(metrics):
        metric = next(iter(columns(metrics, label)))
        own = outcome(metrics, label, model).table
        of_label: list[tuple[Mark, Row]] = []
        for mark, (name, value, *_) in own.marked():
            prefix = {"own": "", "truth": "oracle/"}.get(mark, f"baseline/{name}/")
            known = metrics.get(f"{WITH_BIAS}{prefix}{MODEL}{label}/{metric}")
            if known is not None:
                of_label.append((mark, (f"{label} {metric}", name, value, known)))
        if any(number(value) != known for _, (_, _, value, known) in of_label):
            marks += [mark for mark, _ in of_label]
            rows += [row for _, row in of_label]
    headings = ("metric", "", "as served", "with bias")
    return Grid("with_bias", "What knowing bias columns is worth", headings, tuple(rows), SERVED, marks=tuple(marks)) if rows else None


def groups(metrics: Metrics, chosen: Sequence[Declaration]) -> Grid | None:
    """The model by groups, with these metrics of every label that has the first of them; None without any group."""
    of = [label for label in labels_to_show(metrics) if next(iter(columns(metrics, label).values())) == chosen[0]]
    ends = {f"{label} {metric.heading or metric.name}": f"{label}/{metric.name}" for label in of for metric in chosen}
    if len(chosen) == 1:
        ends = {heading.partition(" ")[0]: end for heading, end in ends.items()}
    title = "By groups" if len(chosen) > 1 else f"By groups: {chosen[0].heading or chosen[0].name}"
    sizes = {f"{label}/rows": "rows" for label in of}
    return by_groups(metrics, ends, name="slices", title=title, sizes=sizes, bars=chosen[0].chance)


def section(run: RunDirectory) -> Section:
    """Headline metrics of every label, and the model among its baselines."""
    results = [(label, outcome(run.metrics, label, run.model_name)) for label in labels_to_show(run.metrics)]
    rows = []
    for label, _ in results:
        for name, value, words in headline(run.metrics, declarations(), f"{MODEL}{label}/"):
            rows.append((label, name, value, words if label == results[0][0] else ""))  # what a metric says is read once
    best = Grid("headline", "Headline metrics", ("label", "metric", "value", "what it says"), tuple(rows))
    figures = [table_figure(each.table, each.metric, name=f"headline/{label}", title=label) for label, each in results if each.metric]
    bias = worth_of_bias(run.metrics, run.model_name)
    tables = (*(each.table for _, each in results), *([] if bias is None else [bias]))
    return Section("results", "Results", (TEXT,), (*figures, best, *tables))


def section_of_groups(run: RunDirectory) -> Section | None:
    """The groups of all labels."""
    grid = groups(run.metrics, [metric for metric in binary.METRICS if metric.groups and metric.better != "less"])
    return None if grid is None else groups_section(replace(grid, title="Every group"), "Groups with few rows are left out.")
