"""Pictures of a sweep: how it went, which settings mattered, which of them go together, and what several objectives cost each other."""

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from recsys.config.overrides import as_override
from recsys.report.draw import ACCENT, FAINT, INK, LOOK
from recsys.sweep.rows import Row
from recsys.sweep.sweep_config import Dimension, Range, SweepConfig, dimensions
from recsys.sweep.table import short, shown

FEWEST = 4
"""Finished trials before anything can be said about importance."""


def history(rows: Sequence[Row], objective: str, which: str) -> str:
    """Every finished trial in its turn, and the best so far, as SVG."""
    ordered = sorted(rows, key=lambda row: row.number)
    best, line = None, []
    for row in ordered:
        value = row.values[objective]
        best = value if best is None else max(best, value) if which == "max" else min(best, value)
        line.append(best)

    def draw(axes):
        axes.scatter([row.number for row in ordered], [row.values[objective] for row in ordered], color=FAINT, s=18)
        axes.step([row.number for row in ordered], line, where="post", color=ACCENT)
        axes.set_xlabel("trial")
        axes.set_ylabel(objective)

    return _svg((7.2, 2.6), draw)


def importance(study: optuna.Study, config: SweepConfig, place: int) -> dict[str, float]:
    """{key: share of an objective's spread that it explains}, by fANOVA (Hutter et al., ICML 2014); empty while there is too little."""
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state is optuna.trial.TrialState.COMPLETE]
    if len(finished) < FEWEST or len({trial.values[place] for trial in finished}) == 1:
        return {}
    evaluator = FanovaImportanceEvaluator(seed=config.seed)
    try:
        return get_param_importances(study, evaluator=evaluator, target=lambda trial: trial.values[place])
    except RuntimeError:  # as trials of the same settings end: no setting explains why they differ
        return {}


def importance_plot(shares: dict[str, float]) -> str:
    """Bars, the largest on top, as SVG."""
    keys = sorted(shares, key=shares.__getitem__)

    def draw(axes):
        bars = axes.barh(keys, [shares[key] for key in keys], color=ACCENT, height=0.6)
        axes.bar_label(bars, [f"{100 * shares[key]:.0f} %" for key in keys], padding=4)
        axes.set_xlim(0, 1.1 * max(shares.values()))
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)

    return _svg((7.2, 0.5 + 0.34 * len(keys)), draw)


def parallel_plot(rows: Sequence[Row], config: SweepConfig, objective: str, which: str) -> str:
    """One line per finished trial through its settings to its value; the darker, the better. SVG."""
    from matplotlib import colormaps

    space = dimensions(config.space)
    scales = [_scale(dimension) for dimension in space.values()]
    values = [row.values[objective] for row in rows]
    low, high = min(values), max(values)
    rank = {row.number: place for place, row in enumerate(sorted(rows, key=lambda row: row.values[objective], reverse=which == "min"))}

    def draw(axes):
        for row in sorted(rows, key=lambda row: rank[row.number]):
            heights = [scale(row.parameters[key]) for key, scale in zip(space, scales)]
            heights.append((row.values[objective] - low) / ((high - low) or 1))
            good = (rank[row.number] + 1) / len(rows)
            color = colormaps["Blues"](0.15 + 0.85 * good)
            axes.plot(range(len(heights)), heights, color=color, linewidth=2 if row.best else 1, alpha=0.9)
        for place, dimension in enumerate(space.values()):
            _axis(axes, place, dimension)
        _axis(axes, len(space), Range(low, high))
        axes.set_xticks(range(len(space) + 1), [*short(list(space)), objective], rotation=20, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.25, len(space) + 0.6)
        axes.set_ylim(-0.05, 1.05)  # else lines that all lie low leave the upper marks outside
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)

    return _svg((max(7.2, 1.2 * len(space)), 3.8), draw)


def front_plot(rows: Sequence[Row], first: str, second: str) -> str:
    """Two objectives against each other; trials that nothing beats in every objective are named. SVG."""

    def draw(axes):
        for best, color in ((False, FAINT), (True, ACCENT)):
            part = [row for row in rows if row.best is best]
            axes.scatter([row.values[first] for row in part], [row.values[second] for row in part], color=color, s=24)
        for row in rows:
            if row.best:
                axes.annotate(str(row.number), (row.values[first], row.values[second]), xytext=(4, 4), textcoords="offset points")
        axes.set_xlabel(first)
        axes.set_ylabel(second)

    return _svg((5.4, 3.6), draw)


def _scale(dimension: Dimension) -> Callable[[Any], float]:
    """From a value to its height on an axis, 0 to 1."""
    if isinstance(dimension, list):
        texts = [as_override("", value)[1:] for value in dimension]
        return lambda value: texts.index(value) / max(1, len(texts) - 1)
    bend = math.log if dimension.log else float
    low, high = bend(dimension.low), bend(dimension.high)
    return lambda value: (bend(value) - low) / ((high - low) or 1)


def _axis(axes, place: int, dimension: Dimension) -> None:
    axes.axvline(place, color=FAINT, linewidth=1, zorder=0)
    marks = dimension if isinstance(dimension, list) else [dimension.low, dimension.high]
    for height, mark in zip((entry / max(1, len(marks) - 1) for entry in range(len(marks))), marks):
        axes.text(place + 0.04, height, shown(mark), fontsize=8, color=INK, va="center", parse_math=False)


def _svg(size: tuple[float, float], draw: Callable) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
