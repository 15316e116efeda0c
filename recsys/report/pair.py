"""What a ranker makes of a retriever's candidates, as a person reads it, from the flat metrics of `metrics.json` alone.

Keys: pair/retriever/test/recall@20, pair/test/recall@20 with /low and /high, pair/test/recall@20/gain with the same; where the truth
is known pair/oracle/test/true_click@20, pair/exposed_oracle/test/true_click@20 and pair/best/test/true_click@20.
"""

import re
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from recsys.report.table import cell, empty_table

USUAL = 20
"""Cut-off that is preferred."""
ROWS = {
    "pair/retriever": "retriever",
    "pair": "pair",
    "pair/oracle": "oracle, if shown",
    "pair/exposed_oracle": "oracle, as exposed",
    "pair/best": "best of the catalogue",
}
"""Prefix of the keys -> name in the table."""


def pair_table(metrics: Mapping[str, float]) -> RenderableType | None:
    """The orders of the same candidates, and a verdict in words; None where no pair was measured."""
    if "pair/test/candidates" not in metrics:
        return None
    return Group(_table(metrics), "", Text(verdict(metrics), style="bold"))


def verdict(metrics: Mapping[str, float]) -> str:
    """What ranking changed in worth, where that is known, and in what was found; and why the two may differ."""
    columns = shown_columns(metrics)
    found, last = columns[0], columns[-1]
    sentences = []
    if last.startswith("true_"):
        label, k = re.fullmatch(r"true_(\w+)@(\d+)", last).groups()
        mine, ceiling, best = (metrics[f"{order}/test/{last}"] for order in ("pair", "pair/oracle", "pair/best"))
        sentences.append(
            f"Ranked, the first {k} have a true {label} probability of {_moved(metrics, last)}: {_share(mine, ceiling)} of what the truth "
            f"makes of the same candidates ({ceiling:.4f}), {_share(mine, best)} of the best of the catalogue ({best:.4f})."
        )
    sentences.append(f"Of what the test users chose, ranking finds {found} {_moved(metrics, found)}.")
    before, true = (metrics.get(f"{order}/test/{found}") for order in ("pair/retriever", "pair/oracle"))
    if metrics[f"pair/test/{found}"] < before:
        why = "Users choose among what is shown to them: a retriever learns that too, a probability if shown leaves it out"
        even = "even the" if true is not None and true < before else "the"
        sentences.append(f"{why}." if true is None else f"{why}; {even} true one finds {true:.4f}.")
    return " ".join(sentences)


def _moved(metrics: Mapping[str, float], column: str) -> str:
    """From the retriever's value to the pair's, and whether that is more than chance."""
    before, after = metrics[f"pair/retriever/test/{column}"], metrics[f"pair/test/{column}"]
    change = f" ({after / before - 1:+.0%})".replace("%", " %") if before > 0 else ""
    low, high = (metrics.get(f"pair/test/{column}/gain/{bound}") for bound in ("low", "high"))
    chance = ", which may be chance" if low is not None and high is not None and low <= 0 <= high else ""
    return f"{after:.4f} instead of {before:.4f}{change}{chance}"


def _share(value: float, of: float) -> str:
    return f"{value / of:.0%}".replace("%", " %") if of > 0 else "–"


def shown_columns(metrics: Mapping[str, float]) -> list[str]:
    """Names of the metrics to show; the first is recall, the last the true worth where it is known."""
    named = [match.groups() for key in metrics if (match := re.fullmatch(r"pair/test/(\w+)@(\d+)", key))]
    nearest = min({int(k) for _, k in named}, key=lambda k: (abs(k - USUAL), k))
    return [f"{name}@{k}" for name, k in named if int(k) == nearest]


def _table(metrics: Mapping[str, float]) -> Table:
    columns = shown_columns(metrics)
    candidates, users = (int(metrics[f"pair/test/{name}"]) for name in ("candidates", "users"))
    table = empty_table(f"Retrieve {candidates:,}, then rank: {users:,} test users")
    table.add_column(no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    shown = [order for order in ROWS if any(f"{order}/test/{column}" in metrics for column in columns)]
    for number, order in enumerate(shown):
        measured = order in ("pair/retriever", "pair")
        cells = [cell(metrics, f"{order}/test/{column}", interval=measured) for column in columns]
        style = "bold green" if order == "pair" else "" if measured else "dim"
        table.add_row(ROWS[order], *cells, style=style, end_section=order == "pair" and number + 1 < len(shown))
    return table
