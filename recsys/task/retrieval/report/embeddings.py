"""Map of the items in the two directions in which their vectors differ most. N items, D dim."""

from typing import Any

import numpy as np
import polars as pl

from recsys.report.content import Figure, Section
from recsys.report.draw import FAINT, PALETTE, WIDTH, drawing, element
from recsys.report.words import percent
from recsys.run.directory import ITEM_VECTORS, RunDirectory

DRAWN = 800
"""Items of the drawing."""
OWN = ("title", "training_events", "vector")
"""Columns of item_vectors.parquet that are no category."""


def section(run: RunDirectory) -> Section | None:
    """A map of the sampled items; None where there are too few, or no two directions."""
    items = run.table(ITEM_VECTORS)
    if len(items) < 3 or items["vector"].to_numpy().shape[1] < 2:
        return None
    places, explained = principal(items["vector"].to_numpy())
    name, colours = _colours(items.drop("vector"))
    counts = items["training_events"].to_numpy()
    drawn_rows = np.sort(np.random.default_rng(0).permutation(len(items))[:DRAWN])
    both = percent(float(explained.sum()))
    text = (
        f"{len(items):,} of {run.data['test']['items']:,} items, in the two directions that explain most of how their vectors differ: "
        f"{percent(explained[0])} and {percent(explained[1])} of the variance. What is apart here is apart in truth; what is together "
        f"here may be apart in the other {items['vector'].to_numpy().shape[1] - 2} directions."
    )
    maps = {"embeddings": (name, _map(places, colours, drawn_rows))}
    maps["embeddings_by_events"] = ("events in training", _by_events(places, counts, drawn_rows))
    alt = f"Map of {len(drawn_rows):,} items, coloured by {{}}; the two axes hold {both} of the variance"
    figures = tuple(Figure(key, f"Items by {by}", svg, alt.format(by)) for key, (by, svg) in maps.items())
    return Section("embeddings", "Map of the items", (text,), figures)


def principal(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N, 2] places along the first two principal components, and the share of the variance that each explains [2]."""
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    value, direction = np.linalg.eigh(centred.T @ centred)
    first = direction[:, ::-1][:, :2]
    first = first * np.where(first[np.abs(first).argmax(0), [0, 1]] < 0, -1, 1)  # a component has no sign of its own
    return centred @ first, value[::-1][:2].clip(min=0) / max(value.clip(min=0).sum(), np.finfo(np.float64).tiny)


def _colours(items: pl.DataFrame) -> tuple[str, list[str]]:
    """Meaning of the colours, and the value of each item: the most frequent ones of the first category, and "other"."""
    rest = items.drop(items.columns[0], *OWN, strict=False)
    categories = [column for column, dtype in rest.schema.items() if dtype == pl.String]
    if not categories:
        counts = items["training_events"].to_numpy()
        return "popularity in training", np.where(counts > np.quantile(counts, 2 / 3), "upper third", "lower two thirds").tolist()
    values = items[categories[0]].fill_null("unknown")
    frequent = values.value_counts(sort=True).sort("count", values.name, descending=[True, False])[values.name].to_list()
    own_colour = set(frequent if len(frequent) <= len(PALETTE) else frequent[: len(PALETTE) - 1])
    return categories[0], [value if value in own_colour else "other" for value in values.to_list()]


def _by_events(places: np.ndarray, counts: np.ndarray, drawn_rows: np.ndarray) -> str:
    with drawing(height=1.2 * WIDTH) as drawn:
        axes = _empty(drawn.figure)
        order = drawn_rows[np.argsort(counts[drawn_rows], kind="stable")]  # the popular ones on top
        drawn_counts = np.log10(1 + counts[order])
        points = axes.scatter(*places[order].T, s=7, c=drawn_counts, cmap="viridis_r", linewidths=0, alpha=0.85)
        bar = drawn.figure.colorbar(points, location="bottom", shrink=0.7, aspect=30, pad=0.03)
        ticks = [count for count in (0, 10, 100, 1_000, 10_000, 100_000) if np.log10(1 + count) <= drawn_counts.max()]
        bar.set_ticks(np.log10(1 + np.array(ticks)), labels=[f"{count:,}" for count in ticks])
        bar.outline.set_visible(False)
    return element(drawn.svg)


def _empty(figure) -> Any:
    """Axes without scales: only distances mean something."""
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _map(places: np.ndarray, colours: list[str], drawn_rows: np.ndarray) -> str:
    kinds = sorted({colours[row] for row in drawn_rows} - {"other"})
    drawn_as = {"other": FAINT} | dict(zip(kinds, PALETTE))
    with drawing(height=1.2 * WIDTH) as drawn:
        axes = _empty(drawn.figure)
        for kind in (["other"] if "other" in colours else []) + kinds:
            chosen = [row for row in drawn_rows if colours[row] == kind]
            axes.scatter(*places[chosen].T, s=7, color=drawn_as[kind], linewidths=0, alpha=0.75, label=kind)
        drawn.figure.legend(loc="outside lower center", ncols=3, fontsize=8, markerscale=1.6, handletextpad=0.2, columnspacing=1.0)
    return element(drawn.svg)
