"""sweep.html: one self-contained page of a sweep, for people; the same after the same trials."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import optuna

from recsys.report import html
from recsys.report.content import Figure, Report, Section
from recsys.sweep import plots
from recsys.sweep.ended_trials import EndedTrial
from recsys.sweep.plan import Plan
from recsys.sweep.terminal import duration, short_text, trials_grid

FANOVA = "Share of the spread between finished trials that each setting explains by itself (fANOVA); with few trials, a hint."


def page(trials: Sequence[EndedTrial], study: optuna.Study, plan: Plan) -> str:
    """The page; trials come best first."""
    grid = trials_grid(trials, plan.sweep)
    rows = [(*cells, duration(row.seconds), row.run, row.reason) for cells, row in zip(grid.rows, trials)]
    columns = (*grid.columns, "time", "directory", "reason")
    table = replace(grid, columns=columns, rows=tuple(rows), folders=len(columns) - 2)
    sections = [*_sections(trials, study, plan), Section("trials", "Trials", (), (table,))]
    objectives = plan.sweep.objectives.items()
    facts = (
        ("Trials", ", ".join(f"{count} {state}" for state, count in _counts(trials).items() if count)),
        ("Chosen by", plan.sweep.sampler),
        ("For", " and ".join(f"{key} ({'more' if direction == 'max' else 'less'} is better)" for key, direction in objectives)),
    )
    return html.page(Report(f"Sweep: {plan.name}", _verdict(trials, plan), facts, tuple(sections), kind="Sweep"))


def _counts(trials: Sequence[EndedTrial]) -> dict[str, int]:
    return {state: sum(row.state == state for row in trials) for state in ("finished", "pruned", "failed")}


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
    fronts = tuple(plots.front_plot(finished, first, second) for first, second in combinations(objectives, 2))
    if fronts:
        yield Section("fronts", "Objectives against each other", (), fronts)
    for place, (key, direction) in enumerate(objectives.items()):
        shares = plots.importance(study, plan.sweep, place)
        figures: list[Figure] = [plots.history(finished, key, direction)]
        figures += [plots.importance_plot(shares, key)] if shares else []
        figures.append(plots.parallel_plot(finished, plan.sweep, key, direction))
        yield Section(f"objective-{place}", key, (FANOVA,) if shares else (), tuple(figures))
