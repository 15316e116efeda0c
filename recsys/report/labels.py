"""The result of a ranking run as a person reads it, from the flat metrics of `metrics.json` alone.

Keys: test/click/auc with /low and /high, baseline/<name>/test/click/auc, oracle/test/click/auc, test/<slice>=<value>/click/auc.
"""

import re
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from recsys.report.pair import pair_table
from recsys.report.table import Row, bar, cell, empty_table

SHOWN = ("auc", "log_loss", "ece", "predicted_over_actual")
"""Metrics of a binary label; the first orders and judges."""
HEADINGS = {"predicted_over_actual": "pred./actual"}
NUMBERS = ("rmse", "mae")
"""Metrics of a regression."""
LESS_IS_BETTER = {"log_loss", "ece", *NUMBERS}
"""Of those that may come first: a label with one class in the test has no AUC."""
MODEL, ORACLE = "test/", "oracle/test/"


def label_table(metrics: Mapping[str, float], name: str) -> RenderableType:
    """One table per label, the model among its baselines, its slices, and a verdict in words; behind a retriever also a table of the pair.

    Args:
        metrics: flat metrics of a finished run.
        name: what the model is called.
    """
    parts: list[RenderableType] = []
    for label in measured(metrics):
        parts += [_table(metrics, label, name), ""]
    slices = _slices(metrics)
    if slices is not None:
        parts += [slices, ""]
    parts.append(Text(verdict(metrics, name), style="bold"))
    pair = pair_table(metrics)
    return Group(*parts) if pair is None else Group(*parts, "", pair)


def measured(metrics: Mapping[str, float]) -> list[str]:
    """Labels, and funnels of labels, that the model was tested on, in the order they were logged."""
    found = [match[1] for key in metrics if (match := re.fullmatch(rf"{MODEL}([^=/]+)/rows", key))]
    return [label for label in dict.fromkeys(found) if shown_columns(metrics, label)]


def verdict(metrics: Mapping[str, float], name: str) -> str:
    """For each label who wins, by how much, and how sure that is; how far the truth is where it is known."""
    return " ".join(sentence for label in measured(metrics) for sentence in judged(metrics, label, name))


def judged(metrics: Mapping[str, float], label: str, name: str) -> list[str]:
    """The sentences of `verdict` that are of one label."""
    first = shown_columns(metrics, label)[0]
    mine = metrics[f"{MODEL}{label}/{first}"]
    sign = -1 if first in LESS_IS_BETTER else 1
    others = {other: metrics[key] for other in _baselines(metrics) if (key := f"baseline/{other}/{MODEL}{label}/{first}") in metrics}
    sentences = []
    if others:
        best = max(others, key=lambda other: sign * others[other])
        theirs = others[best]
        (winner, better), (loser, worse) = sorted(((name, mine), (best, theirs)), key=lambda one: -sign * one[1])
        sentence = f"{label}: {winner} is ahead of {loser}, {first} {better:.4f} against {worse:.4f}"
        if mine == theirs:
            sentence = f"{label}: {name} and {best} are equal, {first} {mine:.4f}"
        low, high = (metrics.get(f"{MODEL}{label}/{first}/{bound}") for bound in ("low", "high"))
        within = low is not None and high is not None and low <= theirs <= high and mine != theirs
        sentences.append(sentence + (f", within the 95 % interval of {name}." if within else "."))
    ceiling = metrics.get(f"{ORACLE}{label}/{first}")
    if ceiling is not None:
        sentences.append(f"The truth has {ceiling:.4f}, {abs(ceiling - mine):.4f} away.")
    return sentences


def shown_columns(metrics: Mapping[str, float], label: str) -> list[str]:
    """Names of the metrics to show of a label; the first orders and judges."""
    return [column for column in (*SHOWN, *NUMBERS) if f"{MODEL}{label}/{column}" in metrics]


def _baselines(metrics: Mapping[str, float]) -> list[str]:
    return list(dict.fromkeys(key.split("/")[1] for key in metrics if key.startswith("baseline/")))


def ranked(metrics: Mapping[str, float], label: str, name: str) -> list[Row]:
    """The model and its baselines by the first shown column, best first; the oracle last."""
    first = shown_columns(metrics, label)[0]
    rows = [Row(name, MODEL, "bold green"), *(Row(other, f"baseline/{other}/{MODEL}") for other in _baselines(metrics))]
    rows = [row for row in rows if f"{row.prefix}{label}/{first}" in metrics]
    rows.sort(key=lambda row: metrics[f"{row.prefix}{label}/{first}"] * (1 if first in LESS_IS_BETTER else -1))
    return [*rows, Row("oracle", ORACLE, "dim")] if f"{ORACLE}{label}/{first}" in metrics else rows


def _table(metrics: Mapping[str, float], label: str, name: str) -> RenderableType:
    columns = shown_columns(metrics, label)
    table = empty_table(f"Test impressions: {label}, {metrics.get(f'{MODEL}{label}/rows', 0):,.0f} rows")
    table.add_column(no_wrap=True)
    for column in columns:
        table.add_column(HEADINGS.get(column, column), justify="right", no_wrap=True)
    for row in ranked(metrics, label, name):
        cells = [cell(metrics, f"{row.prefix}{label}/{column}", interval=row.prefix == MODEL) for column in columns]
        table.add_row(row.name, *cells, style=row.style)
    return table


def _slices(metrics: Mapping[str, float]) -> RenderableType | None:
    """The first metric of each label, one row per group of impressions."""
    labels = [label for label in measured(metrics) if SHOWN[0] in shown_columns(metrics, label)]
    groups = dict.fromkeys(match[1] for key in metrics if (match := re.fullmatch(rf"{MODEL}([^/]+=.*)/[^/]+/{SHOWN[0]}", key)))
    if not groups:
        return None
    table = empty_table(f"The model by groups: {SHOWN[0]}")
    for most in (24, 24):
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=most)
    for label in labels:
        table.add_column(label, justify="right", min_width=6, max_width=16)
    table.add_column(no_wrap=True, width=8)
    last = ""
    for group in groups:
        name, _, value = group.partition("=")
        values = [metrics.get(f"{MODEL}{group}/{label}/{SHOWN[0]}") for label in labels]
        shown = [f"{entry:.4f}" if entry is not None else "–" for entry in values]
        # from chance, 0.5, to the best possible, 1
        table.add_row("" if name == last else name, value, *shown, bar(max(0.0, (values[0] or 0.5) - 0.5), 0.5))
        last = name
    return table
