"""How every drawing of a report looks: narrow enough for a phone, and the same bytes for the same numbers."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WIDTH, HEIGHT = 3.7, 2.6
"""Of a panel, in inches: 355 pixels on a screen. What needs more space is several panels."""
INK, ACCENT, FAINT, GOLD, WARM = "#3d4451", "#1f6fb2", "#b9c0cb", "#c98a00", "#c2571a"
PALETTE = ("#1f6fb2", "#d1661c", "#2f9170", "#b8478a", "#8a6d00", "#5aa9dd", "#7a5195", "#9c3d2e", "#4d7c0f")
"""Nine colours that most colour-blind readers can tell apart, as dark on white as text."""
LOOK = {
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
    """A figure of matplotlib that becomes an SVG.

    Attributes:
        figure: to draw on.
        svg: its text, once drawn.
    """

    def __init__(self, figure: Any):
        self.figure = figure
        self.svg = ""


@contextmanager
def drawing(width: float = WIDTH, height: float = HEIGHT) -> Iterator[Drawing]:
    """An empty figure in this look, rendered when the block ends; what others draw keeps their look."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(LOOK):
        drawn = Drawing(Figure(figsize=(width, height), layout="constrained"))
        yield drawn
        text = io.StringIO()
        # not savefig: that draws everything twice
        FigureCanvasSVG(drawn.figure).print_svg(text, metadata={"Date": None})
        drawn.svg = text.getvalue()


def element(svg: str) -> str:
    """The `<svg>` element of a file."""
    return svg[svg.index("<svg") :].rstrip()
