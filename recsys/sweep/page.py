"""sweep.html: one self-contained page of a sweep with its pictures, for people; the same after the same trials."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, combinations
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from recsys.config.overrides import value_text
from recsys.report import html
from recsys.report.content import Figure, Report, Section
from recsys.report.draw import ACCENT, FAINT, HEIGHT, INK, WIDTH, drawing, element
from recsys.sweep.plan import Plan
from recsys.sweep.study import STATES, EndedTrial
from recsys.sweep.sweep_config import Dimension, Range, SweepConfig, dimensions, extremes
from recsys.sweep.terminal import duration, short_keys, short_text, trials_grid

FANOVA = "Share of the spread between finished trials that each setting explains by itself (fANOVA); with few trials, a hint."
WIDE = 2 * WIDTH
"""Width of what needs more space than a panel, in inches."""
FEWEST = 4
"""Finished trials before anything can be said about importance."""


def page(trials: Sequence[EndedTrial], study: optuna.Study, plan: Plan) -> str:
    """The page; trials come best first."""
    grid = trials_grid(trials, plan.sweep)
    rows = [(*cells, duration(row.seconds), row.run, row.reason) for cells, row in zip(grid.rows, trials)]
    columns = (*grid.columns, "time", "directory", "reason")
    table = replace(grid, columns=columns, rows=tuple(rows), folders=len(columns) - 2)
    sections = [*_sections(trials, study, plan), Section("trials", "Trials", (), (table,))]
    objectives, counts = plan.sweep.objectives.items(), Counter(row.state for row in trials)
    facts = (
        ("Trials", ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])),
        ("Chosen by", plan.sweep.sampler),
        ("For", " and ".join(f"{key} ({'more' if direction == 'max' else 'less'} is better)" for key, direction in objectives)),
    )
    return html.page(Report(f"Sweep: {plan.name}", _verdict(trials, plan), facts, tuple(sections), kind="Sweep"))


def _verdict(trials: Sequence[EndedTrial], plan: Plan) -> str:
    best = [row for row in trials if row.best]
    names = ", ".join(f"trial {row.number} ({', '.join(short_text(value) for value in row.values.values())})" for row in best)
    verdict = f"Nothing beats {names}." if len(plan.sweep.objectives) > 1 else f"The best is {names}."
    return verdict if best else "No trial has finished."


def _sections(trials: Sequence[EndedTrial], study: optuna.Study, plan: Plan) -> Iterator[Section]:
    """Pictures of the finished trials, objective by objective."""
    finished = [row for row in trials if row.state == "finished"]
    if not finished:
        return
    objectives = plan.sweep.objectives
    fronts = tuple(front_plot(finished, first, second) for first, second in combinations(objectives, 2))
    if fronts:
        yield Section("fronts", "Objectives against each other", (), fronts)
    for place, (key, direction) in enumerate(objectives.items()):
        shares = importance(study, plan.sweep, place)
        figures: list[Figure] = [history(finished, key, direction)]
        figures += [importance_plot(shares, key)] if shares else []
        figures.append(parallel_plot(finished, plan.sweep, key, direction))
        yield Section(f"objective-{place}", key, (FANOVA,) if shares else (), tuple(figures))


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
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state is TrialState.COMPLETE]
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
        front = [row for row in rows if row.best]
        for row in front:
            axes.annotate(str(row.number), (row.values[first], row.values[second]), xytext=(4, 4), textcoords="offset points")
        axes.set_xlabel(first)
        axes.set_ylabel(second)
    points = ", ".join(f"trial {row.number} {short_text(row.values[first])} and {short_text(row.values[second])}" for row in front)
    return Figure(f"front/{first}/{second}", f"{first} against {second}", element(drawn.svg), f"Nothing beats {points}")


def _scale(dimension: Dimension) -> Callable[[Any], float]:
    """From a value to its height on an axis, 0 to 1."""
    if isinstance(dimension, list):
        texts = [value_text(value) for value in dimension]
        return lambda value: texts.index(value) / max(1, len(texts) - 1)
    bend = math.log if dimension.log else float
    low, high = bend(dimension.low), bend(dimension.high)
    return lambda value: (bend(value) - low) / ((high - low) or 1)


def _axis(axes: Any, place: int, dimension: Dimension) -> None:
    axes.axvline(place, color=FAINT, linewidth=1, zorder=0)
    marks = extremes(dimension)
    for height, mark in zip((entry / max(1, len(marks) - 1) for entry in range(len(marks))), marks):
        axes.text(place + 0.04, height, short_text(mark), fontsize=8, color=INK, va="center")
