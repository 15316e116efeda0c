"""Results of a ranker behind a retriever, from the flat metrics that `recsys.task.ranking.pair` describes."""

import re

from recsys.report.content import Grid, Mark, Section
from recsys.report.grids import Metrics, Outcome, estimate
from recsys.report.words import rounded_percent
from recsys.run.directory import RunDirectory

USUAL = 20
"""Cut-off that is preferred."""
ORDERS: dict[str, tuple[str, Mark]] = {
    "pair/retriever": ("retriever", "reference"),
    "pair": ("pair", "own"),
    "pair/oracle": ("oracle, if shown", "truth"),
    "pair/exposed_oracle": ("oracle, as exposed", "truth"),
    "pair/best": ("best of the catalogue", "truth"),
}
"""Prefix of the keys -> name in the table, and what it is."""


def outcome(metrics: Metrics) -> Outcome | None:
    """Orders of the same candidates, and a verdict in words; None where no pair was measured."""
    if "pair/test/candidates" not in metrics:
        return None
    columns = shown_columns(metrics)
    candidates, users = (int(metrics[f"pair/test/{name}"]) for name in ("candidates", "users"))
    orders = [order for order in ORDERS if any(f"{order}/test/{column}" in metrics for column in columns)]
    rows = tuple((ORDERS[order][0], *(estimate(metrics, f"{order}/test/{column}") for column in columns)) for order in orders)
    title = f"Retrieve {candidates:,}, then rank: {users:,} test users"
    table = Grid("pair", title, ("", *columns), rows, marks=tuple(ORDERS[order][1] for order in orders))
    return Outcome(table, verdict(metrics))


def section(run: RunDirectory) -> Section | None:
    """A row per order of the same candidates; None where no retriever was named."""
    measured = outcome(run.metrics)
    return None if measured is None else Section("pair", "Behind a retriever", (measured.verdict,), (measured.table,))


def verdict(metrics: Metrics) -> str:
    """Change of the worth of a list, where that is known, and of recall; and why the two may differ."""
    columns = shown_columns(metrics)
    recall, last = columns[0], columns[-1]
    sentences = []
    if match := re.fullmatch(r"true_(\w+)@(\d+)", last):
        label, k = match.groups()
        mine, ceiling, best = (metrics[f"{order}/test/{last}"] for order in ("pair", "pair/oracle", "pair/best"))
        sentences.append(
            f"Ranked, the first {k} have a true {label} probability of {_moved(metrics, last)}: {_share(mine, ceiling)} of what the truth "
            f"makes of the same candidates ({ceiling:.4f}), {_share(mine, best)} of the best of the catalogue ({best:.4f})."
        )
    sentences.append(f"Of what the test users chose, ranking finds {recall} {_moved(metrics, recall)}.")
    before, true = (metrics.get(f"{order}/test/{recall}") for order in ("pair/retriever", "pair/oracle"))
    if before is not None and metrics[f"pair/test/{recall}"] < before:
        why = "Users choose among what is shown to them: a retriever learns that too, a probability if shown leaves it out"
        even = "even the" if true is not None and true < before else "the"
        sentences.append(f"{why}." if true is None else f"{why}; {even} true one finds {true:.4f}.")
    return " ".join(sentences)


def shown_columns(metrics: Metrics) -> list[str]:
    """Names of the metrics to show; the first is recall, the last the true worth where it is known."""
    metric_names = [match.groups() for key in metrics if (match := re.fullmatch(r"pair/test/(\w+)@(\d+)", key))]
    nearest = min({int(k) for _, k in metric_names}, key=lambda k: (abs(k - USUAL), k))
    return [f"{name}@{k}" for name, k in metric_names if int(k) == nearest]


def _moved(metrics: Metrics, column: str) -> str:
    """From the retriever's value to the pair's, and whether that is more than chance."""
    before, after = metrics[f"pair/retriever/test/{column}"], metrics[f"pair/test/{column}"]
    change = f" ({rounded_percent(after / before - 1, '+')})" if before > 0 else ""
    low, high = (metrics.get(f"pair/test/{column}/gain/{bound}") for bound in ("low", "high"))
    chance = ", which may be chance" if low is not None and high is not None and low <= 0 <= high else ""
    return f"{after:.4f} instead of {before:.4f}{change}{chance}"


def _share(value: float, of: float) -> str:
    return rounded_percent(value / of) if of > 0 else "–"
