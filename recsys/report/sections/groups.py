"""Where a model is good and where it is not: groups of users, of items, and of impressions."""

import re
from collections.abc import Iterator

from recsys.report import labels, table
from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import ACCENT, FAINT, drawing, element
from recsys.run.files import RunFiles

MODEL = "test/"
SMALL = {"va": "center", "fontsize": 7.5}


def section(run: RunFiles) -> Section | None:
    """A row per group, and the popularity of items as a drawing; None where no group was large enough."""
    grid = _retrieval(run) if run.task == "retrieval" else _ranking(run)
    if not grid.rows:
        return None
    text = "Groups with few users or rows are left out. Lists stay as they are; of a group of items only these count as something to find."
    of_lists = run.task == "retrieval"
    popularity = _popularity(run) if of_lists else None
    parts = [part for part in (popularity, _dots(grid, 3), grid) if part is not None]
    return Section("slices", "By groups", (text if of_lists else "Groups with few rows are left out.",), tuple(parts))


def _groups(run: RunFiles, pattern: str) -> Iterator[tuple[str, str, str]]:
    """(name, value, prefix of the keys) of each group, in the order they were logged."""
    found = dict.fromkeys(match[1] for key in run.metrics if (match := re.fullmatch(pattern, key)))
    for group in found:
        name, _, value = group.partition("=")
        yield name, value, f"{MODEL}{group}/"


def _retrieval(run: RunFiles) -> Grid:
    groups = list(_groups(run, rf"{MODEL}(.+=.*)/recall@\d+"))
    columns = table.shown_columns(run.metrics, groups[0][2].removeprefix(MODEL)) if groups else []
    rows = [
        (name, value, _whole(run.metrics.get(f"{prefix}users")), *(run.metrics.get(prefix + column) for column in columns))
        for name, value, prefix in groups
    ]
    return Grid("slices", "Every group", ("group", "value", "users", *columns), tuple(rows))


def _ranking(run: RunFiles) -> Grid:
    shown = [label for label in labels.measured(run.metrics) if labels.shown_columns(run.metrics, label)[0] == labels.SHOWN[0]]
    columns = [f"{label}/{metric}" for label in shown for metric in (labels.SHOWN[0], "predicted_over_actual")]
    rows = []
    for name, value, prefix in _groups(run, rf"{MODEL}([^/]+=.*)/[^/]+/{labels.SHOWN[0]}"):
        size = next((run.metrics[f"{prefix}{label}/rows"] for label in shown if f"{prefix}{label}/rows" in run.metrics), None)
        rows.append((name, value, _whole(size), *(run.metrics.get(prefix + column) for column in columns)))
    headings = [column.replace("predicted_over_actual", "pred./actual").replace("/", " ", 1) for column in columns]
    return Grid("slices", "Every group", ("group", "value", "rows", *headings), tuple(rows))


def _dots(grid: Grid, column: int) -> Figure:
    """Every group by a column, those of one kind below each other."""
    rows = [(str(row[0]), str(row[1]), row[column]) for row in grid.rows if row[column] is not None]
    kinds = list(dict.fromkeys(kind for kind, _, _ in rows))
    with drawing(height=0.7 + 0.36 * len(kinds)) as drawn:
        axes = drawn.figure.subplots()
        for place, kind in enumerate(kinds):
            own = [(value, name) for of, name, value in rows if of == kind]
            axes.plot([min(own)[0], max(own)[0]], [place, place], color=FAINT, linewidth=1)
            axes.plot([value for value, _ in own], [place] * len(own), "o", color=ACCENT, markersize=5, alpha=0.8)
            for (value, name), side in ((min(own), -1), (max(own), 1)):
                shown = name if len(name) < 12 else f"{name[:10]}…"
                axes.annotate(shown, (value, place), (6 * side, 0), textcoords="offset points", ha="right" if side < 0 else "left", **SMALL)
        axes.set_yticks(range(len(kinds)), kinds)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(y=0.12)
        smallest, largest = min(value for _, _, value in rows), max(value for _, _, value in rows)
        room = 0.45 * (largest - smallest) or 0.1
        axes.set_xlim(smallest - room, largest + room)
        axes.set_xticks([tick for tick in axes.get_xticks() if max(0, smallest - room) <= tick <= largest + room])
        axes.set_xlabel(f"{grid.columns[column]}; named are the worst and the best")
    alt = f"{grid.columns[column]} by group: " + ", ".join(f"{kind} {name} {value:.4f}" for kind, name, value in rows)
    return Figure("slices_dots", f"{grid.columns[column]} of every group", element(drawn.svg), alt)


def _popularity(run: RunFiles) -> Figure | None:
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
