"""What a comparison found, in words, as a table, as a page and as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from recsys.metric.paired import FEWEST, LEVEL, POWER, Compared
from recsys.report.compare import RESAMPLES, Comparison
from recsys.report.content import Figure, Grid, Report, Section
from recsys.report.draw import ACCENT, FAINT, INK, WARM, drawing, element
from recsys.report.table import empty_table

EQUAL, FEW, UNCLEAR = "equal", "too few to tell", "no difference found"
LESS_IS_BETTER = ("log_loss", "rmse")
SHORT = {"better": ("better", "green"), "worse": ("worse", "red"), EQUAL: ("equal", "dim"), UNCLEAR: ("–", "dim"), FEW: ("too few", "dim")}
"""A word of a verdict, and its look, where there is little space."""
CAUTION = (
    "This says what these weights are worth to users like these. Another seed of the same config may differ as much: to choose a config, "
    "compare several seeds of each."
)


def judged(one: Compared) -> str:
    """Better, worse, equal, no difference found, or too few to tell."""
    if one.difference == (0, 0, 0):
        return EQUAL
    if one.few:
        return FEW
    sign = -one.sign if one.metric.endswith(LESS_IS_BETTER) else one.sign
    return {1: "better", -1: "worse", 0: UNCLEAR}[sign]


def verdicts(comparison: Comparison) -> list[str]:
    """A sentence or two for each run beside the first."""
    return [_verdict(comparison, place) for place in range(1, len(comparison.runs))]


def _verdict(comparison: Comparison, place: int) -> str:
    first, name = comparison.runs[0], comparison.runs[place]
    by_word: dict[str, list[Compared]] = {}
    for one in comparison.found:
        if one.place == place:
            by_word.setdefault(judged(one), []).append(one)
    if set(by_word) == {EQUAL}:
        return f"{name} and {first} are equal: all {comparison.number:,} {comparison.units} got the same from both."
    told = [f"{word} than {first} in {_listed(by_word[word])}" for word in ("better", "worse") if word in by_word]
    unclear, few = by_word.get(UNCLEAR, []), by_word.get(FEW, [])
    sentences = [f"{name} is {' and '.join(told)}."] if told else []
    if told and (rest := [*unclear, *by_word.get(EQUAL, ())]):
        sentences.append(f"No difference was found in {', '.join(one.metric for one in rest)}.")
    elif unclear:
        sentences.append(_would_show(comparison, place, unclear))
    if few:
        metrics = ", ".join(f"{one.metric} ({one.units})" for one in few)
        sentences.append(f"Too few {comparison.units} to tell {name} from {first}, fewer than {FEWEST}, bear on {metrics}.")
    return " ".join(sentences)


def _would_show(comparison: Comparison, place: int, unclear: Sequence[Compared]) -> str:
    shown = ", ".join(f"{one.metric} {_smallest(one)}" for one in unclear)
    return (
        f"No difference between {comparison.runs[place]} and {comparison.runs[0]} was found. {comparison.number:,} {comparison.units} "
        f"would have shown one of this size four times out of five: {shown}."
    )


def _listed(found: Sequence[Compared]) -> str:
    return ", ".join(f"{one.metric} ({one.difference[0]:+.4f}{_relative(one.difference[0], one.old[0])})" for one in found)


def _relative(change: float, of: float) -> str:
    return f", {100 * change / of:+.1f} %" if of else ""


def _smallest(one: Compared) -> str:
    return f"{one.smallest:.4f}" + (f" ({100 * one.smallest / one.old[0]:.1f} %)" if one.old[0] else "")


def method(comparison: Comparison) -> str:
    """How it was found."""
    looks, units = len(comparison.found), comparison.units
    one = units.removesuffix("s")
    return (
        f"Every run answered the same {comparison.number:,} {units}. They were drawn again {RESAMPLES[comparison.task]:,} times with "
        f"replacement, the same ones for all runs, each {one} with all its answers (paired bootstrap). {looks} differences are looked at, "
        f"so each interval is of {100 * (1 - (1 - LEVEL) / looks):.2f} %: together they hold with {100 * LEVEL:.0f} % (Bonferroni)."
    )


def left_out(comparison: Comparison) -> list[str]:
    """A sentence on metrics that were not compared, if there are any."""
    return [f"Not compared: {', '.join(comparison.left_out)}."] if comparison.left_out else []


def comparison_table(comparison: Comparison) -> RenderableType:
    """For a terminal: a table for each run beside the first."""
    parts: list[RenderableType] = []
    for place, sentence in enumerate(verdicts(comparison), 1):
        parts += [_table(comparison, place), "", Text(sentence, style="bold"), ""]
    return Group(*parts, *(Text(text, style="dim") for text in (*left_out(comparison), method(comparison), CAUTION)))


def _table(comparison: Comparison, place: int) -> RenderableType:
    table = empty_table("")
    table.title = Text(f"{comparison.runs[place]} beside {comparison.runs[0]}: {comparison.number:,} {comparison.units}")
    table.add_column("metric", no_wrap=True)
    for column in ("first", "this", "difference", "from", "to"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for one in comparison.found_by_run():
        if one.place == place:
            values = [f"{one.old[0]:.4f}", f"{one.new[0]:.4f}", *(f"{value:+.4f}" for value in one.difference)]
            table.add_row(Text(one.metric), *values, Text(*SHORT[judged(one)]))
    return table


def comparison_report(comparison: Comparison) -> Report:
    """For a page."""
    headings = ("run", "metric", "first", "this", "this − first", "from", "to", "smallest that would show", "verdict")
    rows = [
        (comparison.runs[one.place], one.metric, one.old[0], one.new[0], *map(_told, one.difference), _told(one.smallest), judged(one))
        for one in comparison.found_by_run()
    ]
    metrics = list(dict.fromkeys(one.metric for one in comparison.found))
    figures = [_forest(comparison, metric) for metric in metrics]
    found = Grid("differences", "Every difference", headings, tuple(rows), f"The smallest is found in {100 * POWER:.0f} of 100 such tests.")
    sections = [Section("differences", "Differences", (*left_out(comparison), method(comparison), CAUTION), (*figures, found))]
    changed = [
        (comparison.runs[place], key, old, new) for place, config in enumerate(comparison.configs, 1) for key, (old, new) in config.items()
    ]
    if changed:
        grid = Grid("configs", "Keys that differ", ("run", "key", "first", "this"), tuple(changed))
        sections.append(Section("configs", "What was changed", (), (grid,)))
    facts = (
        ("Held against", comparison.runs[0]),
        ("Task", comparison.task),
        ("Compared", ", ".join(comparison.runs[1:])),
        ("On", f"{comparison.number:,} {comparison.units}"),
    )
    title = f"{len(comparison.runs)} {comparison.task} runs compared"
    return Report(title, "\n".join(verdicts(comparison)), facts, tuple(sections))


def _forest(comparison: Comparison, metric: str) -> Figure:
    """The difference of every run from the first in one metric."""
    found = [one for one in comparison.found if one.metric == metric]
    colours = {"better": ACCENT, "worse": WARM}
    with drawing(height=1.0 + 0.34 * len(found)) as drawn:
        axes = drawn.figure.subplots()
        for place, one in enumerate(found):
            change, low, high = one.difference
            colour = colours.get(judged(one), FAINT)
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(change, place, "o", color=colour, markersize=5.5)
        axes.axvline(0, color=INK, linewidth=0.8)
        names = [comparison.runs[one.place] for one in found]
        axes.set_yticks(range(len(found)), [name if len(name) < 22 else f"…{name[-20:]}" for name in names])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.1, y=0.3)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(f"{metric}, minus that of the first")
    differences = [one.difference for one in found]
    told = (f"{name} {change:+.4f}, {low:+.4f} to {high:+.4f}" for name, (change, low, high) in zip(names, differences))
    return Figure(f"differences/{metric}", metric, element(drawn.svg), f"Difference in {metric}: {'; '.join(told)}")


def _told(value: float) -> float | None:
    """None for a bound that lies anywhere."""
    return value if math.isfinite(value) else None


def document(comparison: Comparison) -> dict[str, Any]:
    """For a program."""
    interval = ("value", "low", "high")
    return {
        "task": comparison.task,
        "reference": comparison.runs[0],
        "runs": list(comparison.runs),
        comparison.units: comparison.number,
        "level": LEVEL,
        "method": method(comparison),
        "left_out": list(comparison.left_out),
        "verdict": {name: sentence for name, sentence in zip(comparison.runs[1:], verdicts(comparison))},
        "differences": [
            {
                "run": comparison.runs[one.place],
                "metric": one.metric,
                "reference": dict(zip(interval, one.old)),
                "this": dict(zip(interval, one.new)),
                "difference": dict(zip(interval, map(_told, one.difference))),
                "smallest_detectable": _told(one.smallest),
                f"{comparison.units}_that_bear": one.units,
                "verdict": judged(one),
            }
            for one in comparison.found_by_run()
        ],
        "configs": {
            name: {key: {"reference": old, "this": new} for key, (old, new) in config.items()}
            for name, config in zip(comparison.runs[1:], comparison.configs)
        },
    }
