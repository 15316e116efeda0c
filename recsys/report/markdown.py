"""Markdown that shows what it is given: names from data and files can neither end a cell nor become markup."""

import re
from collections.abc import Sequence

from recsys.report.content import Grid, column_kind
from recsys.report.words import cell_text, interval


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, text: int = 1) -> str:
    """A table of cells in Markdown, the first `text` columns aligned left, the others right; "" without rows."""
    return _lines(headings, ["---" if place < text else "---:" for place in range(len(headings))], rows) if rows else ""


def grid_blocks(grid: Grid) -> list[str]:
    """A grid as a table, or as a list where it has one column, and its note; the run itself in bold letters."""
    if not grid.rows:
        return []
    if len(grid.columns) == 1:
        return [f"{prose(grid.title)}:", "\n".join(f"- {prose(value)}" for (value,) in grid.rows)]
    rules = ["---:" if column_kind(grid.column(place)) == "number" else "---" for place in range(len(grid.columns))]
    rows = []
    for mark, row in grid.marked():
        cells = [prose(cell_text(value, column)) for value, column in zip(row, grid.columns)]
        bounds = [interval(value, column) for value, column in zip(row, grid.columns)]
        cells = [f"{cell} ({bound})" if bound else cell for cell, bound in zip(cells, bounds)]
        rows.append([f"**{cells[0]}**" if mark == "own" else cells[0], *cells[1:]])
    return [_lines([prose(heading) for heading in grid.columns], rules, rows), *([prose(grid.note)] if grid.note else [])]


def code(name: object) -> str:
    """A name as it is, also inside a table.

    Example:
        >>> code("a|b")
        '`a\\\\|b`'
    """
    plain = " ".join(str(name).split()).replace("`", "'")
    return f"`{plain}`".replace("|", "\\|") if plain else "–"


def prose(text: object) -> str:
    """A sentence that may hold names: on one line, without markup of its own.

    Example:
        >>> prose("recall_at_k of _b_")
        'recall_at_k of \\\\_b\\\\_'
    """
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*[]|~":
        plain = plain.replace(mark, f"\\{mark}")
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", plain)


def _lines(headings: Sequence[str], rules: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rules, *rows))
