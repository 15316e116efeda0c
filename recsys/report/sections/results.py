"""How good a retriever is: headline metrics, and beside baselines and the truth, compared user by user."""

import re

import polars as pl
import torch

from recsys.metric.bootstrap import bootstrap_interval
from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import ACCENT, FAINT, GOLD, INK, WARM, drawing, element
from recsys.report.table import MODEL, ORACLE, ranked, shown_columns
from recsys.report.words import THIS, meaning
from recsys.run.files import RunFiles

USUAL = {"recall": 20, "ndcg": 20, "hit_rate": 10, "precision": 20, "mrr": 20, "map": 20, "novelty": 20, "coverage": 20, "gini": 20}
"""Headline metrics, and the cut-off that is preferred."""
RESAMPLES = 1_000


def section(run: RunFiles) -> Section:
    """Headline metrics, and the model among its baselines."""
    metrics = run.metrics
    users, left_out = (int(metrics.get(f"{MODEL}{key}", 0)) for key in ("users", "users_left_out"))
    text = [
        f"{users:,} users, each asked once over the whole catalogue as of the start of the test. Validation chose the weights; the test "
        "was looked at once, at the end. Intervals are of 95 %, over users."
    ]
    baselines = _baselines(run)
    if left_out:
        text.append(f"{left_out:,} more users have nothing new to find in the test and are left out.")
    return Section("results", "Results", tuple(text), (_bars(run), _differences(baselines), _headline(run), baselines))


def _headline(run: RunFiles) -> Grid:
    found: dict[str, list[int]] = {}
    for key in run.metrics:
        if match := re.fullmatch(rf"{MODEL}(\w+)@(\d+)", key):
            found.setdefault(match[1], []).append(int(match[2]))
    names = [f"{name}@{min(found[name], key=lambda k, usual=usual: (abs(k - usual), k))}" for name, usual in USUAL.items() if name in found]
    bounds = ("", "/low", "/high")
    rows = [(name, *(run.metrics.get(f"{MODEL}{name}{bound}") for bound in bounds), meaning(name)) for name in names]
    return Grid("headline", "Headline metrics", ("metric", "value", "from", "to", "what it says"), tuple(rows))


def _baselines(run: RunFiles) -> Grid:
    columns, rows = shown_columns(run.metrics), []
    changes = _changes(run, columns[0])
    for row in ranked(run.metrics, run.model):
        name = row.name + (THIS if row.prefix == MODEL else "")
        change = changes.get(row.prefix, (None, None, None))
        rows.append((name, *(run.metrics.get(f"{row.prefix}{column}") for column in columns), *change))
    headings = ("", *columns, f"{run.model} − this, {columns[0]}", "from", "to")
    note = "The last columns compare the two user by user: an interval without 0 is more than chance among users."
    return Grid("baselines", "Beside baselines", headings, tuple(rows), note)


def _changes(run: RunFiles, column: str) -> dict[str, tuple[float, float, float]]:
    """{prefix of the keys: how far the model is ahead in a column, user by user, with an interval}."""
    values, own = run.table("per_user.parquet"), f"{MODEL}{column}"
    others = [name for name in values.columns if name.endswith(f"/{own}")]
    if not others or own not in values.columns:
        return {}
    differences = values.select((pl.col(own) - pl.col(name)).alias(name) for name in others)
    change = torch.from_numpy(differences.to_numpy(order="c", writable=True))
    low, high = bootstrap_interval(change, resamples=RESAMPLES)
    found = zip(change.mean(0).tolist(), low.tolist(), high.tolist())
    return {name.removesuffix(column): each for name, each in zip(others, found)}


def _differences(baselines: Grid) -> Figure:
    """How far the model is ahead of each row that it is compared with."""
    rows = [(row[0], *row[-3:]) for row in baselines.rows if row[-1] is not None]
    with drawing(height=0.9 + 0.3 * (1 + len(rows))) as drawn:
        axes = drawn.figure.subplots()
        for place, (_, change, low, high) in enumerate(rows):
            colour = ACCENT if low > 0 else WARM if high < 0 else FAINT
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(change, place, "o", color=colour, markersize=5.5)
            shown = f"{change:+.3f}".replace("-", "−")
            axes.annotate(shown, (high, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.18, y=0.15)
        axes.set_xlabel("user by user, with 95 % intervals")
    title = f"{baselines.columns[1]} of {baselines.columns[-3].partition(' ')[0]} minus that of each other"
    alt = "; ".join(f"against {name} {change:+.4f}, {low:+.4f} to {high:+.4f}" for name, change, low, high in rows)
    return Figure("headline_differences", title, element(drawn.svg), f"{title}: {alt}")


def _bars(run: RunFiles) -> Figure:
    column = shown_columns(run.metrics)[0]
    rows = ranked(run.metrics, run.model)
    with drawing(height=0.9 + 0.3 * len(rows)) as drawn:
        axes = drawn.figure.subplots()
        for place, row in enumerate(rows):
            value = run.metrics[row.prefix + column]
            colour = {MODEL: ACCENT, ORACLE: GOLD}.get(row.prefix, FAINT)
            axes.barh(place, value, height=0.64, color=colour)
            low, high = (run.metrics.get(f"{row.prefix}{column}/{bound}", value) for bound in ("low", "high"))
            axes.plot([low, high], [place, place], color=INK, linewidth=1)
            axes.annotate(f"{value:.3f}", (max(high, value), place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{column}, with 95 % intervals")
    alt = f"{column}: " + ", ".join(f"{row.name} {run.metrics[row.prefix + column]:.4f}" for row in rows)
    return Figure("headline_bars", f"{column} of the model, its baselines and the truth", element(drawn.svg), alt)
