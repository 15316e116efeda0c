"""The reliability curves of a run as a plot and in numbers, from reliability.json alone."""

import math
from collections.abc import Mapping

from recsys.report.content import Grid
from recsys.report.draw import ACCENT, FAINT, drawing

LEGEND = (
    "Test rows in groups of equal size by predicted probability: on the diagonal, what was predicted came true as often. Bars are "
    "95 % intervals (Wilson), rows taken as independent."
)
WIDE = 3
"""Panels side by side."""
PANEL = (3.6, 4.2)
"""Width and height in inches."""


def reliability_plot(curves: Mapping[str, Mapping]) -> str:
    """An SVG with one panel per label: how often it came true against what was predicted, and below it how predictions are spread.

    On the diagonal both agree; bars are 95 % intervals. Equal curves, as from `recsys.metric.reliability`, give equal bytes.
    """
    across, down = min(len(curves), WIDE), math.ceil(len(curves) / WIDE)
    with drawing(PANEL[0] * across, PANEL[1] * down) as drawn:
        axes = drawn.figure.subplots(2 * down, across, squeeze=False, gridspec_kw={"height_ratios": [3, 1] * down})
        for place in range(across * down):
            curve_axes, spread_axes = axes[2 * (place // across) : 2 * (place // across) + 2, place % across]
            if place < len(curves):
                _draw(curve_axes, spread_axes, *list(curves.items())[place])
            else:
                curve_axes.set_axis_off()
                spread_axes.set_axis_off()
    return drawn.svg


def reliability_grid(curves: Mapping[str, Mapping]) -> Grid:
    """Number of groups of rows that did not come true as often as predicted, beyond their intervals, and the one that is farthest off."""
    rows = []
    for label, curve in curves.items():
        outside = sum(not each["low"] <= each["predicted"] <= each["high"] for each in curve["bins"])
        worst = max(curve["bins"], key=lambda each: abs(each["predicted"] - each["actual"]))
        rows.append((label, curve["rows"], curve["positives"], len(curve["bins"]), outside, worst["predicted"], worst["actual"]))
    headings = ("label", "rows", "positive", "groups", "groups off the diagonal", "farthest: predicted", "farthest: came true")
    return Grid("calibration", "Calibration in numbers", headings, tuple(rows))


def _draw(curve_axes, spread_axes, label: str, curve: Mapping) -> None:
    from matplotlib.ticker import MaxNLocator

    bins = curve["bins"]
    predicted, actual = [each["predicted"] for each in bins], [each["actual"] for each in bins]
    reach = [[each["actual"] - each["low"] for each in bins], [each["high"] - each["actual"] for each in bins]]
    end = min(1.0, 1.06 * max(max(predicted), *(each["high"] for each in bins)))
    curve_axes.plot([0, end], [0, end], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    curve_axes.errorbar(predicted, actual, yerr=reach, color=ACCENT, linewidth=1, elinewidth=1.4, marker="o", markersize=4.5, zorder=2)
    curve_axes.set_title(label, loc="left", fontsize=11, fontweight="bold")
    curve_axes.set(xlim=(0, end), ylim=(0, end), ylabel="came true")
    width = (curve["largest"] - curve["smallest"]) / len(curve["histogram"])
    left = [curve["smallest"] + width * place for place in range(len(curve["histogram"]))]
    spread_axes.bar(left, curve["histogram"], width=width or end / 100, align="edge", color=FAINT)
    spread = f"predicted: {curve['rows']:,} rows, {_percent(curve['smallest'])} to {_percent(curve['largest'])}"
    spread_axes.set(xlim=(0, end), xlabel=spread, ylabel="rows")
    for axis in (curve_axes.xaxis, curve_axes.yaxis, spread_axes.xaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(lambda share, _: _percent(share))
    spread_axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    spread_axes.yaxis.set_major_formatter("{x:,.0f}")


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
