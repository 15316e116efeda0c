"""Results as content, from the flat metrics of `metrics.json` alone.

Keys: test/recall@20 with /low and /high, baseline/<name>/test/recall@20, oracle/test/recall@20, val/recall@20,
test/<group>=<value>/recall@20; behind "test/" a label's metrics have its name: test/click/auc.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recsys.metric.declaration import Declaration, usual_columns
from recsys.report.content import Estimate, Figure, Grid, Mark, Row, Section
from recsys.report.draw import ACCENT, FAINT, GOLD, drawing, element, estimates_figure, label_rows
from recsys.report.words import rounded_percent

Metrics = Mapping[str, float]
Columns = Mapping[str, Declaration]
MODEL, ORACLE, VALIDATION = "test/", "oracle/test/", "val/"
METRIC = 3
"""Column of the first metric in a grid of groups, behind a group's kind, value and size."""
COLOURS: dict[Mark, str] = {"own": ACCENT, "truth": GOLD}


@dataclass(frozen=True)
class Outcome:
    """The result of a test in one subject: a whole task, or one label.

    Attributes:
        table: the model among its baselines, best first.
        verdict: in words: who is ahead, by how much, and how sure that is.
        groups: the model by groups of users, items or rows; None where none was measured.
        metric: that of the first column; None where nothing judges.
    """

    table: Grid
    verdict: str
    groups: Grid | None = None
    metric: Declaration | None = None


def estimate(metrics: Metrics, key: str) -> Estimate | None:
    """A metric with its interval, or None."""
    value = metrics.get(key)
    return None if value is None else Estimate(value, metrics.get(f"{key}/low"), metrics.get(f"{key}/high"))


def beside_baselines(metrics: Metrics, columns: Columns, *, name: str, title: str, model: str, subject: str = "") -> Grid:
    """The model among its baselines by the first column, best first; then the truth, and the model at validation.

    Args:
        columns: as from `usual_columns`.
        subject: part of the keys between "test/" and a metric, such as "click/".
    """
    first, metric = next(iter(columns.items()))
    baselines = dict.fromkeys(key.split("/")[1] for key in metrics if key.startswith("baseline/"))
    ranked: list[tuple[str, str, Mark]] = [(model, MODEL, "own"), *((other, f"baseline/{other}/{MODEL}", "") for other in baselines)]
    ranked = [row for row in ranked if f"{row[1]}{subject}{first}" in metrics]
    ranked.sort(key=lambda row: -metric.order * metrics[f"{row[1]}{subject}{first}"])
    apart: list[tuple[str, str, Mark]] = [("oracle", ORACLE, "truth"), ("validation", VALIDATION, "validation")]
    ranked += [row for row in apart if f"{row[1]}{subject}{first}" in metrics]
    rows = [(label, *(estimate(metrics, f"{prefix}{subject}{column}") for column in columns)) for label, prefix, _ in ranked]
    marks = tuple(mark for _, _, mark in ranked)
    headings = ("", *(each.heading or column for column, each in columns.items()))
    return Grid(name, title, headings, tuple(rows), marks=marks, bars=0.0 if metric.chance == 0 else None)


def verdict(table: Grid, metric: Declaration, subject: str = "") -> str:
    """Who is ahead in the first column of such a table, by how much, and how sure that is; how far the truth is, where it is known."""
    own, truth = _row(table, "own"), _row(table, "truth")
    assert own is not None, "a table of results has the model"
    (name, mine), column = own, table.columns[1]
    sentences = []
    if (best := _row(table, "")) is not None:
        other, theirs = best
        ahead = metric.order * (mine.value - theirs.value) > 0
        more, less = max(mine.value, theirs.value), min(mine.value, theirs.value)
        change = f" ({rounded_percent(more / less - 1, '+')})" if metric.chance == 0 and less > 0 else ""
        if mine.value == theirs.value:
            sentences.append(f"{name} and {other} are equal: {column} {mine.value:.4f}.")
        elif ahead:
            values = f"{column} {mine.value:.4f} against {theirs.value:.4f} of {other}"
            sentences.append(f"{name} is ahead of every baseline: {values}{change}.")
        else:
            sentences.append(f"{other} is ahead of {name}: {column} {theirs.value:.4f} against {mine.value:.4f}{change}.")
        if mine.bounds and mine.bounds[0] <= theirs.value <= mine.bounds[1] and mine.value != theirs.value:
            low, high = mine.bounds
            sentences.append(f"The difference is within the 95 % interval of {name}, {low:.4f} to {high:.4f}: a larger test would tell.")
    if truth is not None and metric.chance == 0 and truth[1].value:
        share = rounded_percent(mine.value / truth[1].value)
        sentences.append(f"{name} reaches {share} of what knowing the true probabilities gives ({truth[1].value:.4f}).")
    elif truth is not None and metric.chance != 0:
        sentences.append(f"The truth has {truth[1].value:.4f}, {abs(truth[1].value - mine.value):.4f} away.")
    return f"{subject}: " * bool(subject) + (" ".join(sentences) or f"{name} has {column} {mine.value:.4f}.")


def headline(metrics: Metrics, declarations: Iterable[Declaration], prefix: str) -> list[tuple[str, Estimate | None, str]]:
    """(metric, value, what it says) of every headline metric that has a value under a prefix of the keys."""
    columns = usual_columns([metric for metric in declarations if metric.headline], metrics, prefix)
    return [(metric.heading or column, estimate(metrics, prefix + column), metric.meaning(column)) for column, metric in columns.items()]


def by_groups(
    metrics: Metrics, ends: Mapping[str, str], *, name: str, title: str, sizes: Mapping[str, str], bars: float | None
) -> Grid | None:
    """The model by groups, in the order they were logged; None without any, or without metrics of groups.

    Args:
        ends: {heading: end of the keys}, such as "recall@20" or "click/auc"; groups without the metric of the first are left out.
        sizes: {end of a key: heading} of what counts a group, of which the first that is there is shown.
    """
    if not ends:
        return None
    first = next(iter(ends.values())).rpartition("/")[2]
    tails = tuple(f"/{end}" for end in ends.values() if end.rpartition("/")[2] == first)
    groups = {}
    for key in metrics:
        end = next((end for end in tails if key.startswith(MODEL) and key.endswith(end)), None)
        if end is not None and "=" in (group := key[len(MODEL) : -len(end)]):
            groups[group] = f"{MODEL}{group}/"
    rows: list[Row] = []
    for group, prefix in groups.items():
        kind, _, value = group.partition("=")
        size = next((int(metrics[prefix + end]) for end in sizes if prefix + end in metrics), None)
        rows.append((kind, value, size, *(metrics.get(prefix + end) for end in ends.values())))
    columns = ("group", "value", next(iter(sizes.values())), *ends)
    return Grid(name, title, columns, tuple(rows), bars=bars) if rows else None


def table_figure(table: Grid, metric: Declaration, *, name: str, title: str) -> Figure:
    """The first column of a table of results: bars where guessing gives 0, else dots."""
    rows = [(str(row[0]), value, COLOURS.get(mark, FAINT)) for mark, row in table.marked() if isinstance(value := row[1], Estimate)]
    return estimates_figure(name, title, rows, f"{table.columns[1]}, with 95 % intervals", bars=metric.chance == 0)


def _row(table: Grid, mark: Mark) -> tuple[str, Estimate] | None:
    """Name and first value of the first row of a kind."""
    first = next((row for kind, row in table.marked() if kind == mark), None)
    return None if first is None or not isinstance(first[1], Estimate) else (str(first[0]), first[1])


def groups_section(grid: Grid, text: str, figures: Sequence[Figure] = ()) -> Section:
    """A row per group of a grid from `by_groups`, and every group as a dot, after drawings of the task's own."""
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
                aside = {"ha": "right" if side < 0 else "left", "va": "center", "fontsize": 7.5}
                axes.annotate(short, (value, place), (6 * side, 0), textcoords="offset points", **aside)
        label_rows(axes, kinds)
        axes.margins(y=0.12)
        smallest, largest = min(value for _, _, value in rows), max(value for _, _, value in rows)
        room = 0.45 * (largest - smallest) or 0.1
        axes.set_xlim(smallest - room, largest + room)
        axes.set_xticks([tick for tick in axes.get_xticks() if max(0, smallest - room) <= tick <= largest + room])
        axes.set_xlabel(f"{grid.columns[METRIC]}; named are the worst and the best")
    alt = f"{grid.columns[METRIC]} by group: " + ", ".join(f"{kind} {name} {value:.4f}" for kind, name, value in rows)
    return Figure("slices_dots", f"{grid.columns[METRIC]} of every group", element(drawn.svg), alt)
