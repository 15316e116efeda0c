"""A comparison of runs in words, as a table, as a page and as JSON."""

import math
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from recsys.metric.interval import FEWEST
from recsys.metric.paired import LEVEL, POWER, Compared
from recsys.report.compare import Comparison
from recsys.report.content import Estimate, Figure, Grid, Mark, Report, Section
from recsys.report.draw import ACCENT, FAINT, WARM, estimates_figure
from recsys.report.terminal import grid_table

EQUAL, FEW, UNCLEAR = "equal", "too few to tell", "no difference found"
SHORT = {FEW: "too few", UNCLEAR: "–"}
"""A verdict's word where there is little space."""
NOTE = (
    f"Would show: the size of a difference that {100 * POWER:.0f} of 100 such tests would find. A verdict of – says that no difference was "
    f"found, and too few that fewer than {FEWEST} bear on it."
)
CAUTION = (
    "This says what these weights are worth to users like these. Another seed of the same config may differ as much: to choose a config, "
    "compare several seeds of each."
)
COLOURS = {"better": ACCENT, "worse": WARM}


def verdict_word(comparison: Comparison, one: Compared) -> str:
    """Better, worse, equal, no difference found, or too few to tell."""
    if one.difference == (0, 0, 0):
        return EQUAL
    if one.few:
        return FEW
    sign = -one.sign if one.metric in comparison.measured.less_is_better else one.sign
    return {1: "better", -1: "worse", 0: UNCLEAR}[sign]


def verdicts(comparison: Comparison) -> list[str]:
    """A sentence or two for each run beside the first."""
    return [_verdict(comparison, place) for place in range(1, len(comparison.runs))]


def _verdict(comparison: Comparison, place: int) -> str:
    first, name, units = comparison.runs[0], comparison.runs[place], comparison.measured.units
    by_word: dict[str, list[Compared]] = {}
    for one in comparison.of_run(place):
        by_word.setdefault(verdict_word(comparison, one), []).append(one)
    if set(by_word) == {EQUAL}:
        return f"{name} and {first} are equal: all {comparison.measured.number:,} {units} got the same from both."
    clear = [f"{word} than {first} in {', '.join(map(_change, by_word[word]))}" for word in ("better", "worse") if word in by_word]
    unclear, few = by_word.get(UNCLEAR, []), by_word.get(FEW, [])
    sentences = [f"{name} is {' and '.join(clear)}."] if clear else []
    if clear and (rest := [*unclear, *by_word.get(EQUAL, ())]):
        sentences.append(f"No difference was found in {', '.join(one.metric for one in rest)}.")
    elif unclear:
        shown = f"{comparison.measured.number:,} {units} would have shown one of this size four times out of five"
        sentences.append(f"No difference between {name} and {first} was found. {shown}: {', '.join(map(_smallest, unclear))}.")
    if few:
        metrics = ", ".join(f"{one.metric} ({one.units})" for one in few)
        sentences.append(f"Too few {units} to tell {name} from {first}, fewer than {FEWEST}, bear on {metrics}.")
    return " ".join(sentences)


def _change(one: Compared) -> str:
    relative = f", {100 * one.difference[0] / one.old[0]:+.1f} %" if one.old[0] else ""
    return f"{one.metric} ({one.difference[0]:+.4f}{relative})"


def _smallest(one: Compared) -> str:
    return f"{one.metric} {one.smallest:.4f}" + (f" ({100 * one.smallest / one.old[0]:.1f} %)" if one.old[0] else "")


def method(comparison: Comparison) -> str:
    """Method of the comparison in words."""
    looks, units = len(comparison.differences), comparison.measured.units
    return (
        f"Every run answered the same {comparison.measured.number:,} {units}. They were drawn again {comparison.resamples:,} times with "
        f"replacement, the same ones for all runs, each {units.removesuffix('s')} with all its answers (paired bootstrap). {looks} "
        f"differences are looked at, so each interval is of {100 * (1 - (1 - LEVEL) / looks):.2f} %: together they hold with "
        f"{100 * LEVEL:.0f} % (Bonferroni)."
    )


def left_out(comparison: Comparison) -> list[str]:
    """A sentence on metrics that were not compared, if there are any."""
    return [f"Not compared: {', '.join(comparison.measured.left_out)}."] if comparison.measured.left_out else []


def beside_first(comparison: Comparison, place: int) -> Grid:
    """Every metric of one run beside that of the first."""
    measured = comparison.measured
    rows = []
    for one in comparison.of_run(place):
        word, (change, low, high) = verdict_word(comparison, one), one.difference
        bounds = (low, high) if math.isfinite(high - low) else (None, None)
        rows.append((one.metric, one.old[0], one.new[0], Estimate(change, *bounds), _finite(one.smallest), SHORT.get(word, word)))
    title = f"{comparison.runs[place]} beside {comparison.runs[0]}: {measured.number:,} {measured.units}"
    columns = ("metric", "first", "this", "this − first", "would show", "verdict")
    reference: Mark = "reference"
    return Grid(f"differences/{place}", title, columns, tuple(rows), NOTE, marks=(reference,) * len(rows))


def comparison_table(comparison: Comparison) -> RenderableType:
    """For a terminal: a table for each run beside the first."""
    parts: list[RenderableType] = []
    for place, sentence in enumerate(verdicts(comparison), 1):
        parts += [grid_table(beside_first(comparison, place)), "", Text(sentence, style="bold"), ""]
    return Group(*parts, *(Text(text, style="dim") for text in (*left_out(comparison), method(comparison), CAUTION)))


def comparison_report(comparison: Comparison) -> Report:
    """For a page."""
    metrics = list(dict.fromkeys(one.metric for one in comparison.differences))
    grids = (beside_first(comparison, at) for at in range(1, len(comparison.runs)))
    parts: tuple[Grid | Figure, ...] = (*(_forest(comparison, metric) for metric in metrics), *grids)
    sections = [Section("differences", "Differences", (*left_out(comparison), method(comparison), CAUTION), parts)]
    others = zip(comparison.runs[1:], comparison.configs)
    changed = [(name, key, old, new) for name, config in others for key, (old, new) in config.items()]
    if changed:
        grid = Grid("configs", "Keys that differ", ("run", "key", "first", "this"), tuple(changed))
        sections.append(Section("configs", "What was changed", (), (grid,)))
    facts = (
        ("Held against", comparison.runs[0]),
        ("Task", comparison.task),
        ("Compared", ", ".join(comparison.runs[1:])),
        ("On", f"{comparison.measured.number:,} {comparison.measured.units}"),
    )
    title = f"{len(comparison.runs)} {comparison.task} runs compared"
    return Report(title, "\n".join(verdicts(comparison)), facts, tuple(sections), kind="Comparison of runs")


def _forest(comparison: Comparison, metric: str) -> Figure:
    """The difference of every run from the first in one metric."""
    of_metric = [one for one in comparison.differences if one.metric == metric]
    rows = [(comparison.runs[one.place], Estimate(*one.difference), COLOURS.get(verdict_word(comparison, one), FAINT)) for one in of_metric]
    return estimates_figure(f"differences/{metric}", metric, rows, f"{metric}, minus that of the first", differences=True)


def _finite(value: float) -> float | None:
    """None for a bound that lies anywhere."""
    return value if math.isfinite(value) else None


def document(comparison: Comparison) -> dict[str, Any]:
    """For a program."""
    interval, measured = ("value", "low", "high"), comparison.measured
    others = comparison.runs[1:]
    return {
        "task": comparison.task,
        "reference": comparison.runs[0],
        "runs": list(comparison.runs),
        measured.units: measured.number,
        "level": LEVEL,
        "method": method(comparison),
        "left_out": list(measured.left_out),
        "verdict": dict(zip(others, verdicts(comparison))),
        "differences": [
            {
                "run": comparison.runs[one.place],
                "metric": one.metric,
                "reference": dict(zip(interval, map(_finite, one.old))),
                "this": dict(zip(interval, map(_finite, one.new))),
                "difference": dict(zip(interval, map(_finite, one.difference))),
                "smallest_detectable": _finite(one.smallest),
                f"{measured.units}_that_bear": one.units,
                "verdict": verdict_word(comparison, one),
            }
            for place in range(1, len(comparison.runs))
            for one in comparison.of_run(place)
        ],
        "configs": {
            name: {key: {"reference": old, "this": new} for key, (old, new) in config.items()}
            for name, config in zip(others, comparison.configs)
        },
    }
