"""Where a model is good and where it is not: groups of users, of items, and of impressions."""

from collections.abc import Sequence

from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import ACCENT, FAINT, drawing, element, label_rows

METRIC = 3
"""Column of the first metric, behind a group's kind, value and size."""
SMALL = {"va": "center", "fontsize": 7.5}


def section(grid: Grid, text: str, figures: Sequence[Figure] = ()) -> Section:
    """A row per group, and every group as a dot.

    Args:
        grid: as from `recsys.report.grids.by_groups`.
        text: which groups are left out.
        figures: drawings of the task's own.
    """
    return Section("slices", "By groups", (text,), (*figures, _dots(grid), grid))


def _dots(grid: Grid) -> Figure:
    """Every group by the first metric, those of one kind on one line."""
    rows = [(str(row[0]), str(row[1]), value) for row in grid.rows if isinstance(value := row[METRIC], float)]
    kinds = list(dict.fromkeys(kind for kind, _, _ in rows))
    with drawing(height=0.7 + 0.36 * len(kinds)) as drawn:
        axes = drawn.figure.subplots()
        for place, kind in enumerate(kinds):
            own = [(value, name) for of, name, value in rows if of == kind]
            axes.plot([min(own)[0], max(own)[0]], [place, place], color=FAINT, linewidth=1)
            axes.plot([value for value, _ in own], [place] * len(own), "o", color=ACCENT, markersize=5, alpha=0.8)
            for (value, name), side in ((min(own), -1), (max(own), 1)):
                short = name if len(name) < 12 else f"{name[:10]}…"
                axes.annotate(short, (value, place), (6 * side, 0), textcoords="offset points", ha="right" if side < 0 else "left", **SMALL)
        label_rows(axes, kinds)
        axes.margins(y=0.12)
        smallest, largest = min(value for _, _, value in rows), max(value for _, _, value in rows)
        room = 0.45 * (largest - smallest) or 0.1
        axes.set_xlim(smallest - room, largest + room)
        axes.set_xticks([tick for tick in axes.get_xticks() if max(0, smallest - room) <= tick <= largest + room])
        axes.set_xlabel(f"{grid.columns[METRIC]}; named are the worst and the best")
    alt = f"{grid.columns[METRIC]} by group: " + ", ".join(f"{kind} {name} {value:.4f}" for kind, name, value in rows)
    return Figure("slices_dots", f"{grid.columns[METRIC]} of every group", element(drawn.svg), alt)
