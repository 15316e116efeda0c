"""Learning curves: every logged loss and validation metric by step."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from recsys.report.content import Figure, Section
from recsys.report.draw import PALETTE, drawing, element
from recsys.run.directory import RunDirectory

SAME = 1e-9
"""Two values of one metric that are this close are one."""
MOST_POINTS = 400
"""Points of a line; a long run is thinned evenly."""


def curves_section(run: RunDirectory, validation: Mapping[str, tuple[str, Sequence[str]]]) -> Section | None:
    """Losses of training, and metrics of validation {panel: (title, keys of its lines)}; None where nothing was logged."""
    keys = list(dict.fromkeys(key for line in run.logged for key in line))
    losses = [key for key in keys if re.fullmatch(r"train/(.+/)?loss", key)]
    panels = {"losses": ("Training loss", losses if len(losses) < 3 else [key for key in losses if key != "train/loss"])}
    panels |= {name: (title, [key for key in of_panel if key in keys]) for name, (title, of_panel) in validation.items()}
    monitor = run.plain["monitor"]
    if monitor in keys and not any(monitor in of_panel for _, of_panel in panels.values()):
        panels["monitor"] = ("What chose the weights", [monitor])
    figures = [_lines(name, title, {key: _points(run.logged, key) for key in chosen}) for name, (title, chosen) in panels.items() if chosen]
    if not figures:
        return None
    best = run.metrics.get(monitor, math.nan)
    steps = [f"{line['step']:,}" for line in run.logged if abs((line.get(monitor) or math.inf) - best) < SAME]
    text = f"The weights that were tested are those with the best {monitor}: step {next(iter(steps), 'unknown')}."
    return Section("curves", "Learning curves", (text,), tuple(figures))


def _points(logged: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    points = [(line["step"], line[key]) for line in logged if line.get(key) is not None]
    every = max(1, len(points) // MOST_POINTS)
    return points[::-1][::every][::-1]  # the last one stays


def _lines(name: str, title: str, lines: Mapping[str, list[tuple[int, float]]]) -> Figure:
    with drawing() as drawn:
        axes = drawn.figure.subplots()
        for colour, (key, points) in zip(PALETTE * len(lines), lines.items()):
            steps, values = zip(*points) if points else ((), ())
            marker = "o" if len(points) < 30 else None
            axes.plot(steps, values, color=colour, linewidth=1.4, marker=marker, markersize=3, label=key.partition("/")[2])
        axes.set_xlabel("step")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.get_major_locator().set_params(nbins=5)
        if len(lines) > 1:
            drawn.figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    ends = ", ".join(f"{key} from {points[0][1]:.4f} to {points[-1][1]:.4f}" for key, points in lines.items() if points)
    return Figure(f"curves/{name}", title, element(drawn.svg), f"{title} by step: {ends}")
