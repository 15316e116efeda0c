"""Where a model is good and where it is not: groups of users, of items, and of impressions."""

import re
from collections.abc import Iterator

from recsys.report import labels, table
from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import ACCENT, FAINT, drawing, element
from recsys.report.run import TestedRun

MODEL = "test/"


def section(run: TestedRun) -> Section | None:
    """A row per group, and the popularity of items as a drawing; None where no group was large enough."""
    grid = _retrieval(run) if run.task == "retrieval" else _ranking(run)
    if not grid.rows:
        return None
    text = "Groups with few users or rows are left out. Lists stay as they are; of a group of items only these count as something to find."
    popularity = _popularity(run) if run.task == "retrieval" else None
    parts = (grid,) if popularity is None else (popularity, grid)
    return Section("slices", "By groups", (text if run.task == "retrieval" else "Groups with few rows are left out.",), parts)


def _groups(run: TestedRun, pattern: str) -> Iterator[tuple[str, str, str]]:
    """(name, value, prefix of the keys) of each group, in the order they were logged."""
    found = dict.fromkeys(match[1] for key in run.metrics if (match := re.fullmatch(pattern, key)))
    for group in found:
        name, _, value = group.partition("=")
        yield name, value, f"{MODEL}{group}/"


def _retrieval(run: TestedRun) -> Grid:
    groups = list(_groups(run, rf"{MODEL}(.+=.*)/recall@\d+"))
    columns = table.shown_columns(run.metrics, groups[0][2].removeprefix(MODEL)) if groups else []
    rows = [
        (name, value, _whole(run.metrics.get(f"{prefix}users")), *(run.metrics.get(prefix + column) for column in columns))
        for name, value, prefix in groups
    ]
    return Grid("slices", "Every group", ("group", "value", "users", *columns), tuple(rows))


def _ranking(run: TestedRun) -> Grid:
    shown = [label for label in labels.measured(run.metrics) if labels.shown_columns(run.metrics, label)[0] == labels.SHOWN[0]]
    columns = [f"{label}/{metric}" for label in shown for metric in (labels.SHOWN[0], "predicted_over_actual")]
    rows = []
    for name, value, prefix in _groups(run, rf"{MODEL}([^/]+=.*)/[^/]+/{labels.SHOWN[0]}"):
        size = next((run.metrics[f"{prefix}{label}/rows"] for label in shown if f"{prefix}{label}/rows" in run.metrics), None)
        rows.append((name, value, _whole(size), *(run.metrics.get(prefix + column) for column in columns)))
    headings = [column.replace("predicted_over_actual", "pred./actual").replace("/", " ", 1) for column in columns]
    return Grid("slices", "Every group", ("group", "value", "rows", *headings), tuple(rows))


def _popularity(run: TestedRun) -> Figure | None:
    """Recall among popular and rare items."""
    groups = [(value, prefix) for name, value, prefix in _groups(run, rf"{MODEL}(popularity=.*)/recall@\d+")]
    if not groups:
        return None
    column = table.shown_columns(run.metrics, groups[0][1].removeprefix(MODEL))[0]
    shown = [(value, run.metrics[prefix + column]) for value, prefix in groups]
    with drawing() as drawn:
        axes = drawn.figure.subplots()
        for place, (_, value) in enumerate(shown):
            axes.bar(place, value, width=0.6, color=ACCENT)
            axes.annotate(f"{value:.3f}", (place, value), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8)
        mean = run.metrics.get(f"{MODEL}{column}")
        if mean is not None:
            axes.axhline(mean, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
            axes.annotate(f"all {mean:.3f}", (1, mean), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
        axes.set_xticks(range(len(shown)), [value for value, _ in shown])
        axes.set_ylabel(column)
        axes.margins(y=0.15)
    alt = f"{column} by popularity of the item: " + ", ".join(f"{value} {found:.4f}" for value, found in shown)
    title = f"{column} by popularity in training: head, mid and tail have a third of all events each"
    return Figure("recall_by_popularity", title, element(drawn.svg), alt)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
