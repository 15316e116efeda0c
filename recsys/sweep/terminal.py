"""A sweep's lines on the terminal: one after each trial, a table at the end."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from recsys.report.content import Grid, Mark
from recsys.report.terminal import grid_table
from recsys.sweep.study import EndedTrial
from recsys.sweep.sweep_config import SweepConfig

MOST_ROWS = 30
"""Rows of the table; all trials are in the page and in trials.parquet."""


def progress_line(number: int, trials: Sequence[EndedTrial], config: SweepConfig, *, left: int, left_s: float) -> str:
    """One trial that has just ended, the best so far, and how long the rest will take."""
    row = next(row for row in trials if row.number == number)
    parts = [f"trial {number:>3}", f"{row.state:<8}", _result(row)]
    best = [other for other in trials if other.best]
    if len(config.objectives) > 1 and best:
        parts.append(f"{len(best)} that nothing beats")
    elif best:
        parts.append(f"best {short_text(next(iter(best[0].values.values())))} (trial {best[0].number})")
    settings = " ".join(f"{key}={short_text(value)}" for key, value in row.parameters.items())
    return "   ".join([*parts, settings, duration(row.seconds), f"{left} left, {duration(left_s)}" if left else "none left"])


def trial_table(trials: Sequence[EndedTrial], config: SweepConfig) -> RenderableType:
    """Rank, state, objectives, and the parameters that vary; the reasons of failed trials below."""
    more = [f"and {len(trials) - MOST_ROWS} more"] if len(trials) > MOST_ROWS else []
    failed = [Text(f"trial {row.number} failed: {row.reason}") for row in trials if row.state == "failed"]
    return Group(grid_table(trials_grid(trials[:MOST_ROWS], config)), *more, *failed)


def trials_grid(trials: Sequence[EndedTrial], config: SweepConfig) -> Grid:
    """One row per trial, best first."""
    rows: list[tuple] = []
    marks: list[Mark] = []
    for row in trials:
        state = f"pruned at {row.evaluations}" if row.state == "pruned" else row.state
        settings = (short_text(row.parameters.get(key)) for key in config.space)
        rows.append((row.rank, row.number, state, *(row.values[key] for key in config.objectives), *settings))
        marks.append("best" if row.best else "" if row.rank else "aside")
    columns = ("rank", "trial", "state", *config.objectives, *short_keys(list(config.space)))
    return Grid("trials", "Trials", columns, tuple(rows), marks=tuple(marks))


def short_keys(keys: Sequence[str]) -> list[str]:
    """Keys without what stands before their last name, where that still tells them apart.

    Example:
        >>> short_keys(["loss.temperature", "optimizer.dense.lr", "optimizer.tables.lr"])
        ['temperature', 'dense.lr', 'tables.lr']
    """
    parts = [key.split(".") for key in keys]
    names = []
    for part in parts:
        depth = next(
            depth for depth in range(1, len(part) + 1) if depth == len(part) or sum(part[-depth:] == other[-depth:] for other in parts) == 1
        )
        names.append(".".join(part[-depth:]))
    return names


def short_text(value: object) -> str:
    """A value in few characters; numbers with four digits."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Example:
        >>> duration(41.3), duration(754), duration(9000)
        ('41 s', '13 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _result(row: EndedTrial) -> str:
    if row.state == "failed":
        return row.reason
    values = "  ".join(f"{key} {short_text(value)}" for key, value in row.values.items())
    return f"{values} at evaluation {row.evaluations}" if row.state == "pruned" else values
