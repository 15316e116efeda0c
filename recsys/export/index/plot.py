"""Recall against latency as a picture: one point per setting, the exact search as a line."""

from pathlib import Path
from typing import Any

from recsys.disk import write_whole
from recsys.report.draw import ACCENT, FAINT, INK, WARM, WIDTH, drawing

DASHED = (0, (4, 3))


def draw(entry: dict, path: Path) -> None:
    """Write the curve of an index as SVG, the same bytes for the same figures.

    Args:
        entry: of the manifest, from `recsys.export.index.curve.measured`.
    """
    (setting,) = entry["curve"][0].keys() - {"recall", "p50_ms", "p99_ms"}
    with drawing(2 * WIDTH, 4.6) as drawn:
        axes = drawn.figure.subplots()
        _points(axes, entry, setting)
        _limits(axes, entry)
        axes.set_xscale("log")
        for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            formatter(lambda ms, _: f"{ms:g}" if f"{ms:.0e}"[0] in "125" else "")
        axes.set_xlabel("median latency of one query on one thread [ms, log scale]")
        axes.set_ylabel(f"recall of the exact best {entry['k']}")
        axes.set_title(f"{entry['kind']} against exact search, {entry['queries']:,} queries", fontweight="bold")
        axes.grid(which="major", color=FAINT, linewidth=0.4)
        axes.tick_params(axis="x", which="both", length=3.5, pad=4)
        axes.legend(loc="lower right", framealpha=0.9)
        axes.set_axisbelow(True)
    write_whole(path, drawn.svg)


def _points(axes: Any, entry: dict, setting: str) -> None:
    latency, recall = ([point[key] for point in entry["curve"]] for key in ("p50_ms", "recall"))
    axes.plot(latency, recall, color=ACCENT, marker="o", markersize=5, linewidth=1.8, label=f"{entry['kind']}, by {setting}", zorder=3)
    for point in entry["curve"]:
        at, is_chosen = (point["p50_ms"], point["recall"]), entry["chosen"] == {setting: point[setting]}
        colour, weight = (WARM, "bold") if is_chosen else (ACCENT, "normal")
        if is_chosen:
            text = f"chosen: {setting}={point[setting]}, recall {point['recall']:.4f}, {point['p50_ms']:.2f} ms"
            axes.plot(*at, "o", color=WARM, markersize=10, label=text, zorder=4)
        axes.annotate(f"{point[setting]}", at, xytext=(8, -12), textcoords="offset points", color=colour, fontweight=weight)


def _limits(axes: Any, entry: dict) -> None:
    """Both limits as lines, and room around what matters: settings of far too small a recall lie below the picture."""
    exact_ms, floor = entry["exact_p50_ms"], entry["min_recall"]
    axes.axhline(floor, color=WARM, linestyle=DASHED, linewidth=1.2, label=f"wanted: recall of {floor:g}")
    axes.axvline(exact_ms, color=INK, linewidth=1.8, label=f"exact search: recall 1, {exact_ms:.2f} ms")
    recalls = [point["recall"] for point in entry["curve"]]
    lowest = max(min(recalls), min(max(recalls), 1 - 20 * (1 - floor)))
    room = 0.06 * max(1 - lowest, 1 - floor, 1e-3)
    axes.set_ylim(min(lowest, floor) - 2 * room, 1 + room)
    visible = [exact_ms, *(point["p50_ms"] for point in entry["curve"] if point["recall"] >= lowest)]
    axes.set_xlim(min(visible) / 1.25, max(visible) * 1.25)
