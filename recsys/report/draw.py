"""Look of every drawing of a report: narrow enough for a phone, and the same bytes for the same numbers."""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from recsys.report.content import Estimate, Figure

WIDTH, HEIGHT = 3.7, 2.6
"""Size of a panel in inches: 355 pixels on a screen. A drawing that needs more space is several panels."""
INK, ACCENT, FAINT, GOLD, WARM = "#3d4451", "#1f6fb2", "#b9c0cb", "#c98a00", "#c2571a"
PALETTE = ("#1f6fb2", "#d1661c", "#2f9170", "#b8478a", "#8a6d00", "#5aa9dd", "#7a5195", "#9c3d2e", "#4d7c0f")
"""Nine colours that most colour-blind readers can tell apart, as dark on white as text."""
LOOK: dict[Any, Any] = {
    "svg.hashsalt": "recsys",  # or ids would be drawn by chance
    "svg.fonttype": "path",  # the same letters on every screen
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "none",  # the page shows through
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


class Drawing:
    """A figure of matplotlib to draw on, and its SVG once it is drawn."""

    def __init__(self, figure: Any):
        self.figure = figure
        self.svg = ""


@contextmanager
def drawing(width: float = WIDTH, height: float = HEIGHT) -> Iterator[Drawing]:
    """An empty figure in this look, rendered when the block ends; what others draw keeps their look."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(LOOK):
        drawn = Drawing(Canvas(figsize=(width, height), layout="constrained"))
        yield drawn
        text = io.StringIO()
        # not savefig: that draws everything twice
        FigureCanvasSVG(drawn.figure).print_svg(text, metadata={"Date": None})
        drawn.svg = text.getvalue()


def element(svg: str) -> str:
    """The `<svg>` element of a file."""
    return svg[svg.index("<svg") :].rstrip()


def estimates_figure(
    name: str, title: str, rows: Sequence[tuple[str, Estimate, str]], axis: str, *, bars: bool = False, differences: bool = False
) -> Figure:
    """One line per row (label, value, colour) from top to bottom: a dot, or a bar from 0, with its interval and value.

    Args:
        axis: label of the values' axis.
        bars: draw bars instead of dots.
        differences: values are differences: 0 is marked, and signs are written.
    """
    sign = "+" if differences else ""
    with drawing(height=0.9 + 0.3 * max(2, len(rows))) as drawn:
        axes = drawn.figure.subplots()
        for place, (_, estimate, colour) in enumerate(rows):
            value, (low, high) = estimate.value, estimate.bounds or (estimate.value, estimate.value)
            if bars:
                axes.barh(place, value, height=0.64, color=colour)
            axes.plot([low, high], [place, place], color=INK if bars else colour, linewidth=1 if bars else 2, solid_capstyle="round")
            if not bars:
                axes.plot(value, place, "o", color=colour, markersize=5.5)
            end = max(value, high) if math.isfinite(high) else value
            text = f"{value:{sign}.3f}".replace("-", "−")
            axes.annotate(text, (end, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        if differences:
            axes.axvline(0, color=INK, linewidth=0.8)
        label_rows(axes, [label if len(label) < 24 else f"…{label[-22:]}" for label, _, _ in rows])
        axes.margins(x=0.18, y=0.12)
        axes.locator_params(axis="x", nbins=5)
        axes.ticklabel_format(axis="x", useOffset=False)
        if bars:
            axes.set_xlim(left=0)
        axes.set_xlabel(axis)
    values = []
    for label, each, _ in rows:
        values.append(f"{label} {each.value:{sign}.4f}" + (f", {each.low:{sign}.4f} to {each.high:{sign}.4f}" if each.bounds else ""))
    return Figure(name, title, element(drawn.svg), f"{title}: {'; '.join(values)}")


def label_rows(axes: Any, labels: Sequence[str]) -> None:
    """Name the rows 0, 1, ... of a drawing, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
