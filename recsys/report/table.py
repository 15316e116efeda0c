"""The result of a run as a person reads it, from the flat metrics of `metrics.json` alone.

Keys: test/recall@20 with /low and /high, baseline/<name>/test/recall@20, oracle/test/recall@20, test/<slice>=<value>/recall@20; where
nothing was measured at 20, the cut-off nearest to it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SHOWN = {"recall": 20, "ndcg": 20, "hit_rate": 10, "coverage": 20}
"""Metrics of the tables, and the cut-off that is preferred."""
MODEL, ORACLE = "test/", "oracle/test/"
BAR_WIDTH = 8


@dataclass(frozen=True)
class Row:
    """One line of the table: what it is called, and where its metrics stand."""

    name: str
    prefix: str
    style: str = ""


def result_table(metrics: Mapping[str, float], name: str) -> RenderableType:
    """The model among its baselines, best first, its slices, and a verdict in words.

    Args:
        metrics: flat metrics of a finished run.
        name: what the model is called.
    """
    rows = ranked(metrics, name)
    parts: list[RenderableType] = [_main_table(metrics, rows)]
    slices = _slice_table(metrics)
    if slices is not None:
        parts += ["", slices]
    return Group(*parts, "", Text(verdict(metrics, name), style="bold"))


def verdict(metrics: Mapping[str, float], name: str) -> str:
    """Who wins on the test set, by how much, and how sure that is; the share of the oracle where one is known."""
    headline = shown_columns(metrics)[0]
    mine = metrics[MODEL + headline]
    others = {row.name: metrics[row.prefix + headline] for row in _baselines(metrics)}
    sentences = []
    if others:
        best = max(others, key=lambda other: others[other])
        theirs = others[best]
        against = f"{headline} {max(mine, theirs):.4f} against {min(mine, theirs):.4f}"
        if mine > theirs:
            sentences.append(f"{name} is above every baseline: {against} of {best}{_change(mine, theirs)}.")
        elif theirs > mine:
            sentences.append(f"{best} wins: {against} of {name}{_change(theirs, mine)}.")
        else:
            sentences.append(f"{name} and {best} are equal: {headline} {mine:.4f}.")
        low, high = (metrics.get(f"{MODEL}{headline}/{bound}") for bound in ("low", "high"))
        if low is not None and high is not None and low <= theirs <= high and mine != theirs:
            sentences.append(f"The difference is within the 95 % interval of {name}, {low:.4f} to {high:.4f}: more test users would tell.")
    ceiling = metrics.get(ORACLE + headline)
    if ceiling:
        sentences.append(
            f"{name} reaches {mine / ceiling:.0%} of what knowing the true probabilities gives ({ceiling:.4f}).".replace("%", " %")
        )
    return " ".join(sentences) or f"{name}: {headline} {mine:.4f}."


def _change(more: float, less: float) -> str:
    return f" (+{more / less - 1:.0%})".replace("%", " %") if less > 0 else ""


def shown_columns(metrics: Mapping[str, float], group: str = "") -> list[str]:
    """Names of the metrics to show of the model, or of one of its groups; the first, a recall, orders and judges."""
    cutoffs: dict[str, list[int]] = {}
    for key in metrics:
        match = re.fullmatch(rf"{re.escape(MODEL + group)}(\w+)@(\d+)", key)
        if match:
            cutoffs.setdefault(match[1], []).append(int(match[2]))
    nearest = {name: min(cutoffs[name], key=lambda k: (abs(k - usual), k)) for name, usual in SHOWN.items() if name in cutoffs}
    return [f"{name}@{k}" for name, k in nearest.items()]


def _baselines(metrics: Mapping[str, float]) -> list[Row]:
    headline = shown_columns(metrics)[0]
    names = [key.split("/")[1] for key in metrics if key.startswith("baseline/") and key.endswith(f"/{MODEL}{headline}")]
    return [Row(name, f"baseline/{name}/{MODEL}") for name in names]


def ranked(metrics: Mapping[str, float], name: str) -> list[Row]:
    """The model and its baselines by the first shown column, best first; the oracle last."""
    headline = shown_columns(metrics)[0]
    rows = [Row(name, MODEL, "bold green"), *_baselines(metrics)]
    rows.sort(key=lambda row: -metrics[row.prefix + headline])
    return rows + ([Row("oracle", ORACLE, "dim")] if ORACLE + headline in metrics else [])


def _main_table(metrics: Mapping[str, float], rows: list[Row]) -> Table:
    headline, *_ = columns = shown_columns(metrics)
    table = empty_table("Test users, whole catalogue")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=BAR_WIDTH)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    longest = max(metrics[row.prefix + headline] for row in rows)
    for number, row in enumerate(rows):
        cells = [cell(metrics, row.prefix + column, interval=row.prefix == MODEL) for column in columns]
        before_oracle = number + 1 < len(rows) and rows[number + 1].prefix == ORACLE
        table.add_row(row.name, bar(metrics[row.prefix + headline], longest), *cells, style=row.style, end_section=before_oracle)
    return table


def cell(metrics: Mapping[str, float], key: str, *, interval: bool) -> Text:
    """A metric with four decimals, its interval below if asked for; a dash where there is none."""
    value, low, high = (metrics.get(entry) for entry in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return Text("–", style="dim")
    text = Text(f"{value:.4f}")
    return text if not interval or low is None or high is None else text.append(f"\n{low:.3f}–{high:.3f}", style="not bold dim")


def _slice_table(metrics: Mapping[str, float]) -> Table | None:
    """One row per group of users or items, in the order they were logged."""
    groups = [match[1] for key in metrics if (match := re.fullmatch(rf"{MODEL}(.+=.*/)recall@\d+", key))]
    if not groups:
        return None
    headline, *_ = columns = shown_columns(metrics, groups[0])
    prefixes = [MODEL + group for group in dict.fromkeys(groups)]
    table = empty_table("The model by groups")
    for width in (None, None, BAR_WIDTH):
        table.add_column(no_wrap=True, width=width)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    longest, last = max(metrics[prefix + headline] for prefix in prefixes), ""
    for prefix in prefixes:
        name, _, value = prefix.removeprefix(MODEL).rstrip("/").partition("=")
        cells = [f"{metrics[prefix + column]:.4f}" if prefix + column in metrics else "–" for column in columns]
        table.add_row("" if name == last else name, value, bar(metrics[prefix + headline], longest), *cells)
        last = name
    return table


def empty_table(title: str) -> Table:
    """A table without rows, as all of them look."""
    # two blanks between columns: the widest table of this module fits into 80
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)


def bar(value: float, longest: float) -> str:
    """A bar of up to BAR_WIDTH characters, in eighths.

    Example:
        >>> bar(1.0, 2.0)
        '████'
    """
    eighths = round(8 * BAR_WIDTH * value / longest) if longest > 0 else 0
    return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
