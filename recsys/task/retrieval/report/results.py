"""Results of a retriever: headline metrics, and beside baselines and the truth, compared user by user."""

import polars as pl

from recsys.errors import count_text
from recsys.metric.interval import FEWEST, difference_intervals
from recsys.metric.per_user import declarations, too_few
from recsys.report.content import Estimate, Figure, Grid, Section
from recsys.report.draw import ACCENT, FAINT, WARM, drawing, element, estimates_figure
from recsys.report.grids import MODEL, Outcome, groups_section, headline, table_figure
from recsys.run.directory import PER_USER, RunDirectory


def section(run: RunDirectory, outcome: Outcome) -> Section:
    """Headline metrics, and the model among its baselines."""
    users = int(run.metrics.get(f"{MODEL}users", 0))
    text = (
        f"{count_text(users, 'user')}, each asked once over the whole catalogue as of the start of the test. Validation chose the weights; "
        "the test was looked at once, at the end. Intervals are of 95 %, over users."
    )
    text = " ".join([text, *(sentence.capitalize() + "." for sentence in too_few(users))])
    left_out = int(run.metrics.get(f"{MODEL}users_left_out", 0))
    left_out_words = count_text(left_out, "more user has", "more users have")
    aside = f"{left_out_words} nothing new to find in the test, and no part in these figures."
    rows = tuple(headline(run.metrics, declarations(), MODEL))
    best = Grid("headline", "Headline metrics", ("metric", "value", "what it says"), rows)
    differences = _differences(run, outcome.table)
    assert outcome.metric is not None, "a recall judges"
    title = f"{outcome.table.columns[1]} of the model, its baselines and the truth"
    parts: list[Grid | Figure] = [
        table_figure(outcome.table, outcome.metric, name="headline_bars", title=title),
        *([] if differences is None else [_forest(differences)]),
        best,
        outcome.table,
        *([] if differences is None else [differences]),
    ]
    return Section("results", "Results", (text, aside) if left_out else (text,), tuple(parts))


def _differences(run: RunDirectory, table: Grid) -> Grid | None:
    """Difference of the model from each baseline and the truth whose values by user are kept; None without any."""
    column, values = table.columns[1], run.table(PER_USER)
    prefixes = {row[0]: "oracle/" if mark == "truth" else f"baseline/{row[0]}/" for mark, row in table.marked() if mark in ("", "truth")}
    others = {name: f"{prefix}{MODEL}{column}" for name, prefix in prefixes.items() if f"{prefix}{MODEL}{column}" in values.columns}
    note = "The two are compared user by user: an interval without 0 is more than chance among users."
    if not others or f"{MODEL}{column}" not in values.columns:
        return None
    columns = values.select((pl.col(f"{MODEL}{column}") - pl.col(key)).alias(key) for key in others.values())
    change = columns.to_numpy()
    if len(change) < FEWEST:
        return None
    low, high = difference_intervals(change)
    rows = [(name, Estimate(*each)) for name, *each in zip(others, change.mean(0).tolist(), low.tolist(), high.tolist())]
    return Grid("differences", "User by user", ("", f"{run.model_name} − this, {column}"), tuple(rows), note)


def _forest(differences: Grid) -> Figure:
    rows = []
    for name, value in differences.rows:
        assert isinstance(value, Estimate)
        low, high = value.bounds or (0.0, 0.0)
        rows.append((str(name), value, ACCENT if low > 0 else WARM if high < 0 else FAINT))
    model, _, column = differences.columns[1].partition(" − this, ")
    title = f"{column} of {model} minus that of each other"
    return estimates_figure("headline_differences", title, rows, "user by user, with 95 % intervals", differences=True)


def section_of_groups(run: RunDirectory, grid: Grid | None) -> Section | None:
    """A row per group, and the popularity of items as a drawing; None where no group was large enough."""
    if grid is None:
        return None
    text = "Groups with few users are left out. Lists stay as they are; of a group of items only these count as something to find."
    popularity = _popularity(run, grid)
    return groups_section(grid, text, () if popularity is None else (popularity,))


def _popularity(run: RunDirectory, grid: Grid) -> Figure | None:
    """The first metric among popular and rare items."""
    column = grid.columns[3]
    bars = [(str(row[1]), row[3]) for row in grid.rows if row[0] == "popularity" and isinstance(row[3], float)]
    if not bars:
        return None
    with drawing() as drawn:
        axes = drawn.figure.subplots()
        for place, (_, value) in enumerate(bars):
            axes.bar(place, value, width=0.6, color=ACCENT)
            axes.annotate(f"{value:.3f}", (place, value), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8)
        mean = run.metrics.get(f"{MODEL}{column}")
        if mean is not None:
            axes.axhline(mean, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
            axes.annotate(f"all {mean:.3f}", (1, mean), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
        axes.set_xticks(range(len(bars)), [value for value, _ in bars])
        axes.set_ylabel(column)
        axes.margins(y=0.15)
    alt = f"{column} by popularity of the item: " + ", ".join(f"{name} {value:.4f}" for name, value in bars)
    title = f"{column} by popularity in training: head, mid and tail have a third of all events each"
    return Figure("recall_by_popularity", title, element(drawn.svg), alt)
