"""Recall against latency as a picture: one point per setting, the exact search as a line."""

from pathlib import Path

INK, PAPER, LINE, CHOSEN, EXACT = "#1f2933", "#ffffff", "#2563a8", "#d9480f", "#6b7280"


def draw(entry: dict, path: Path) -> None:
    """Write the curve of an index as SVG, the same bytes for the same figures.

    Args:
        entry: of the manifest, from `recsys.export.index.curve.measured`.
    """
    import matplotlib  # here: it takes half a second, and few exports draw

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    (setting,) = entry["curve"][0].keys() - {"recall", "p50_ms", "p99_ms"}
    style = {"svg.hashsalt": "recsys", "font.size": 10, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(7.5, 4.6), layout="constrained", facecolor=PAPER)
        _points(axes, entry, setting)
        _limits(axes, entry)
        axes.set_xscale("log")
        for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            axis(FuncFormatter(lambda ms, _: f"{ms:g}" if f"{ms:.0e}"[0] in "125" else ""))
        axes.set_xlabel("median latency of one query on one thread [ms, log scale]")
        axes.set_ylabel(f"recall of the exact best {entry['k']}")
        axes.set_title(f"{entry['kind']} against exact search, {entry['queries']:,} queries", loc="left", fontweight="bold", color=INK)
        axes.grid(which="major", color="#e5e7eb", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", which="both", length=3.5, pad=4)
        axes.legend(loc="lower right", facecolor=PAPER, edgecolor=PAPER, framealpha=0.9)
        axes.set_axisbelow(True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def _points(axes, entry: dict, setting: str) -> None:
    latency, recall = ([point[key] for point in entry["curve"]] for key in ("p50_ms", "recall"))
    axes.plot(latency, recall, color=LINE, marker="o", markersize=5, linewidth=1.8, label=f"{entry['kind']}, by {setting}", zorder=3)
    for point in entry["curve"]:
        is_chosen = entry["chosen"] == {setting: point[setting]}
        if is_chosen:
            text = f"chosen: {setting}={point[setting]}, recall {point['recall']:.4f}, {point['p50_ms']:.2f} ms"
            axes.plot(point["p50_ms"], point["recall"], "o", color=CHOSEN, markersize=10, label=text, zorder=4)
        axes.annotate(
            f"{point[setting]}",
            (point["p50_ms"], point["recall"]),
            xytext=(8, -12),
            textcoords="offset points",
            color=CHOSEN if is_chosen else LINE,
            fontweight="bold" if is_chosen else "normal",
            fontsize=9,
        )


def _limits(axes, entry: dict) -> None:
    """Both limits as lines, and room around what matters: settings that find far too little lie below the picture."""
    exact_ms, floor = entry["exact_p50_ms"], entry["min_recall"]
    axes.axhline(floor, color=CHOSEN, linestyle=(0, (4, 3)), linewidth=1.2, label=f"wanted: recall of {floor:g}")
    axes.axvline(exact_ms, color=EXACT, linewidth=1.8, label=f"exact search: recall 1, {exact_ms:.2f} ms")
    recalls = [point["recall"] for point in entry["curve"]]
    lowest = max(min(recalls), min(max(recalls), 1 - 20 * (1 - floor)))
    room = 0.06 * max(1 - lowest, 1 - floor, 1e-3)
    axes.set_ylim(min(lowest, floor) - 2 * room, 1 + room)
    shown = [exact_ms, *(point["p50_ms"] for point in entry["curve"] if point["recall"] >= lowest)]
    axes.set_xlim(min(shown) / 1.25, max(shown) * 1.25)
