"""Pictures of a sweep: how it went, which settings mattered, which of them go together, and what several objectives cost each other."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from recsys.config.overrides import as_override
from recsys.report.content import Figure
from recsys.report.draw import ACCENT, FAINT, HEIGHT, INK, WIDTH, drawing, element
from recsys.sweep.ended_trials import EndedTrial
from recsys.sweep.sweep_config import Dimension, Range, SweepConfig, dimensions
from recsys.sweep.terminal import short_keys, short_text

WIDE = 2 * WIDTH
"""Of what needs more space than a panel, in inches."""
FEWEST = 4
"""Finished trials before anything can be said about importance."""


def history(rows: Sequence[EndedTrial], objective: str, direction: str) -> Figure:
    """Every finished trial in its turn, and the best so far."""
    ordered = sorted(rows, key=lambda row: row.number)
    values = [value for row in ordered if (value := row.values[objective]) is not None]
    best = list(accumulate(values, max if direction == "max" else min))
    with drawing(WIDE, HEIGHT) as drawn:
        axes = drawn.figure.subplots()
        axes.scatter([row.number for row in ordered], values, color=FAINT, s=18)
        axes.step([row.number for row in ordered], best, where="post", color=ACCENT)
        axes.set_xlabel("trial")
        axes.set_ylabel(objective)
    alt = f"{objective} of {len(ordered)} finished trials; the best has {short_text(best[-1])}"
    return Figure(f"history/{objective}", "How it went", element(drawn.svg), alt)


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


def importance_plot(shares: dict[str, float], objective: str) -> Figure:
    """Bars of `importance`, the largest on top."""
    keys = sorted(shares, key=shares.__getitem__)
    with drawing(WIDE, 0.5 + 0.34 * len(keys)) as drawn:
        axes = drawn.figure.subplots()
        bars = axes.barh(keys, [shares[key] for key in keys], color=ACCENT, height=0.6)
        axes.bar_label(bars, [f"{100 * shares[key]:.0f} %" for key in keys], padding=4)
        axes.set_xlim(0, 1.1 * max(shares.values()))
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
    alt = "Importance: " + ", ".join(f"{key} {100 * shares[key]:.0f} %" for key in reversed(keys))
    return Figure(f"importance/{objective}", "What mattered", element(drawn.svg), alt)


def parallel_plot(rows: Sequence[EndedTrial], config: SweepConfig, objective: str, direction: str) -> Figure:
    """One line per finished trial through its settings to its value; the darker, the better."""
    from matplotlib import colormaps

    space = dimensions(config.space)
    scales = [_scale(dimension) for dimension in space.values()]
    values = [value for row in rows if (value := row.values[objective]) is not None]
    low, high = min(values), max(values)
    worst_first = sorted(zip(values, rows), key=lambda entry: entry[0], reverse=direction == "min")
    with drawing(max(WIDE, 1.2 * len(space)), 3.8) as drawn:
        axes = drawn.figure.subplots()
        for place, (value, row) in enumerate(worst_first, 1):
            heights = [scale(row.parameters[key]) for key, scale in zip(space, scales)]
            heights.append((value - low) / ((high - low) or 1))
            color = colormaps["Blues"](0.15 + 0.85 * place / len(rows))
            axes.plot(range(len(heights)), heights, color=color, linewidth=2 if row.best else 1, alpha=0.9)
        for place, dimension in enumerate((*space.values(), Range(low, high))):
            _axis(axes, place, dimension)
        axes.set_xticks(range(len(space) + 1), [*short_keys(list(space)), objective], rotation=20, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.25, len(space) + 0.6)
        axes.set_ylim(-0.05, 1.05)  # else lines that all lie low leave the upper marks outside
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    alt = f"Settings of {len(rows)} finished trials, from {objective} {short_text(low)} to {short_text(high)}"
    return Figure(f"settings/{objective}", "Settings and results", element(drawn.svg), alt)


def front_plot(rows: Sequence[EndedTrial], first: str, second: str) -> Figure:
    """Two objectives against each other; trials that nothing beats in every objective are named."""
    with drawing(1.5 * WIDTH, 3.6) as drawn:
        axes = drawn.figure.subplots()
        for best, color in ((False, FAINT), (True, ACCENT)):
            part = [row for row in rows if row.best is best]
            axes.scatter([row.values[first] for row in part], [row.values[second] for row in part], color=color, s=24)
        named = [row for row in rows if row.best]
        for row in named:
            axes.annotate(str(row.number), (row.values[first], row.values[second]), xytext=(4, 4), textcoords="offset points")
        axes.set_xlabel(first)
        axes.set_ylabel(second)
    points = ", ".join(f"trial {row.number} {short_text(row.values[first])} and {short_text(row.values[second])}" for row in named)
    return Figure(f"front/{first}/{second}", f"{first} against {second}", element(drawn.svg), f"Nothing beats {points}")


def _scale(dimension: Dimension) -> Callable[[Any], float]:
    """From a value to its height on an axis, 0 to 1."""
    if isinstance(dimension, list):
        texts = [as_override("", value)[1:] for value in dimension]
        return lambda value: texts.index(value) / max(1, len(texts) - 1)
    bend = math.log if dimension.log else float
    low, high = bend(dimension.low), bend(dimension.high)
    return lambda value: (bend(value) - low) / ((high - low) or 1)


def _axis(axes: Any, place: int, dimension: Dimension) -> None:
    axes.axvline(place, color=FAINT, linewidth=1, zorder=0)
    marks = dimension if isinstance(dimension, list) else [dimension.low, dimension.high]
    for height, mark in zip((entry / max(1, len(marks) - 1) for entry in range(len(marks))), marks):
        axes.text(place + 0.04, height, short_text(mark), fontsize=8, color=INK, va="center")
