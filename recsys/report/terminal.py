"""A table on the terminal: fits into 80 columns, the run itself in colour, bars where they say something."""

import re
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from recsys.report.content import Grid, Mark, Value, column_kind, number
from recsys.report.words import cell_text, interval

BAR_WIDTH = 8
LONGEST_NAME, NAMES = 26, 2
"""Letters of a name, and first columns that hold names: these are cut, other texts go on in the next line."""
LONGEST_HEADING, BREAK = 14, re.compile(r"([./_])(?=\w)")
"""Letters of a heading of one line, and where a longer one goes on in the next line."""
LOOK: dict[Mark, str] = {"own": "bold green", "best": "bold", "truth": "dim", "validation": "dim", "aside": "dim"}
WORDS = {"better": "green", "worse": "red", "passed": "green", "refused": "red"}
"""Cells of one word that are coloured."""


def results_view(grids: Sequence[Grid], verdict: str) -> RenderableType:
    """Tables below each other, and a verdict in words."""
    parts: list[RenderableType] = [part for grid in grids for part in (grid_table(grid), "")]
    return Group(*parts, Text(verdict, style="bold"))


def grid_table(grid: Grid) -> RenderableType:
    """A grid; the interval of an estimate stands below it, for the run itself and for what it is held against."""
    # one blank after each column: the widest table fits into 80
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    kinds = [column_kind(grid.column(place)) for place in range(len(grid.columns))]
    bar_place = _bar_place(grid)
    for place, (text, kind) in enumerate(zip(grid.columns, kinds)):
        heading = Text(BREAK.sub(r"\1\n", text) if len(text) > LONGEST_HEADING else text)
        if kind == "number":
            table.add_column(heading, justify="right", no_wrap=True)
        elif kind == "text" and place < NAMES:
            table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=LONGEST_NAME)
        else:
            table.add_column(heading, overflow="fold")
    if bar_place is not None:
        table.add_column(no_wrap=True, width=BAR_WIDTH)
    before: Value = None
    rows = grid.marked()
    for place, (mark, row) in enumerate(rows):
        cells = [_cell(value, column, bounded=mark in ("own", "reference")) for value, column in zip(row, grid.columns)]
        if isinstance(row[0], str) and row[0] == before:
            cells[0] = Text("")
        before = row[0]
        if bar_place is not None:
            cells.append(Text(_bar(grid, bar_place, row[bar_place])))
        ends_block = place + 1 < len(rows) and rows[place + 1][0] in ("truth", "validation") and mark not in ("truth", "validation")
        table.add_row(*cells, style=LOOK.get(mark, ""), end_section=ends_block)
    return Group(Text(grid.title, style="bold"), table, *([Text(grid.note, style="dim")] if grid.note else []))


def bar(share: float) -> str:
    """A bar of up to BAR_WIDTH characters, in eighths.

    Example:
        >>> bar(0.5)
        '████'
    """
    eighths = round(8 * BAR_WIDTH * max(0.0, share))
    return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]


def _bar_place(grid: Grid) -> int | None:
    """The first column of measured numbers, which are no counts; None where bars say nothing."""
    measured = [place for place in range(len(grid.columns)) if any(isinstance(number(value), float) for value in grid.column(place))]
    return None if grid.bars is None or not measured else measured[0]


def _cell(value: Value, column: str, *, bounded: bool) -> Text:
    text = cell_text(value, column)
    cell = Text(text, style=WORDS.get(text, "dim" if value is None else ""))
    below = interval(value, column) if bounded else ""
    return cell.append(f"\n{below}", style="not bold dim") if below else cell


def _bar(grid: Grid, place: int, value: Value) -> str:
    """The bar of a value, as long as its share of the largest; values are counted from where bars begin."""
    assert grid.bars is not None
    reached = [figure - grid.bars for each in grid.column(place) if isinstance(figure := number(each), int | float)]
    own = number(value)
    return bar((own - grid.bars) / max(reached)) if isinstance(own, int | float) and max(reached) > 0 else ""
