"""How good a ranker is, label by label, beside baselines and the truth."""

from collections.abc import Iterator

from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import ACCENT, FAINT, GOLD, drawing, element
from recsys.report.labels import HEADINGS, MODEL, NUMBERS, ORACLE, measured, ranked, shown_columns
from recsys.report.words import THIS, meaning
from recsys.run.files import RunFiles

SHOWN = ("auc", "gauc", "pr_auc", "log_loss", "normalized_entropy", "ece", "predicted_over_actual", *NUMBERS)
"""Headline metrics of a label."""


def section(run: RunFiles) -> Section:
    """Headline metrics of every label, and the model among its baselines."""
    labels = measured(run.metrics)
    text = (
        "Every impression of the test was predicted once. Validation chose the weights; the test was looked at once, at the end. "
        "Intervals are of 95 %, over users; a label that is given another is measured where that one is 1.",
    )
    figures = [_dots(run, label) for label in labels]
    return Section("results", "Results", text, (*figures, _headline(run, labels), *(_beside(run, label) for label in labels)))


def _headline(run: RunFiles, labels: list[str]) -> Grid:
    return Grid(
        "headline",
        "Headline metrics",
        ("label", "metric", "value", "from", "to", "what it says"),
        tuple(row for place, label in enumerate(labels) for row in _rows(run, label, told=place == 0)),
    )


def _rows(run: RunFiles, label: str, *, told: bool) -> Iterator[tuple]:
    """Metrics of a label; what they say is told once."""
    for name in SHOWN:
        key = f"{MODEL}{label}/{name}"
        if key in run.metrics:
            values = (run.metrics.get(f"{key}{bound}") for bound in ("", "/low", "/high"))
            yield label, HEADINGS.get(name, name), *values, meaning(name) if told else ""


def _beside(run: RunFiles, label: str) -> Grid:
    columns = shown_columns(run.metrics, label)
    rows = [
        (row.name + (THIS if row.prefix == MODEL else ""), *(run.metrics.get(f"{row.prefix}{label}/{column}") for column in columns))
        for row in ranked(run.metrics, label, run.model)
    ]
    counts = [run.metrics.get(f"{MODEL}{label}/{name}") for name in ("rows", "positives")]
    note = f"{counts[0]:,.0f} impressions" + ("" if counts[1] is None else f", {counts[1]:,.0f} of them positive") + "."
    headings = ("", *(HEADINGS.get(column, column) for column in columns))
    return Grid(f"baselines/{label}", f"{label} beside baselines", headings, tuple(rows), note)


def _dots(run: RunFiles, label: str) -> Figure:
    """The first metric of the label: a dot for each model, with an interval where there is one."""
    column = shown_columns(run.metrics, label)[0]
    rows = ranked(run.metrics, label, run.model)
    with drawing(height=0.9 + 0.26 * len(rows)) as drawn:
        axes = drawn.figure.subplots()
        for place, row in enumerate(rows):
            value = run.metrics[f"{row.prefix}{label}/{column}"]
            low, high = (run.metrics.get(f"{row.prefix}{label}/{column}/{bound}", value) for bound in ("low", "high"))
            colour = {MODEL: ACCENT, ORACLE: GOLD}.get(row.prefix, FAINT)
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(value, place, "o", color=colour, markersize=6)
            axes.annotate(f"{value:.3f}", (max(value, high), place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.18, y=0.12)
        axes.grid(axis="x", color=FAINT, linewidth=0.4)
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", nbins=5)
        axes.ticklabel_format(axis="x", useOffset=False)
        axes.set_xlabel(HEADINGS.get(column, column))
    alt = f"{column} of {label}: " + ", ".join(f"{row.name} {run.metrics[f'{row.prefix}{label}/{column}']:.4f}" for row in rows)
    return Figure(f"headline/{label}", label, element(drawn.svg), alt)
