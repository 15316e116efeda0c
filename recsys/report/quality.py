"""How good a released model is, in Markdown, from the flat metrics of `metrics.json` alone; keys as in `table` and `labels`."""

import re
from collections.abc import Iterator, Mapping

from recsys.report import labels, pair, table
from recsys.report.markdown import code, prose
from recsys.report.markdown import table as markdown_table

MODEL = "test/"
UNTESTED = "These weights were not tested: the figures are of validation, which they may have been chosen by."
TESTED = "Validation chose the weights; the test was looked at once, at the end. In brackets: 95 % intervals."
Metrics = Mapping[str, float]


def quality(metrics: Metrics, names: Mapping[str, str]) -> list[str]:
    """Blocks of Markdown: for each task the model among its baselines, with a verdict, and its groups, worst first.

    Args:
        metrics: of the exported weights; of weights that were not tested, those of validation.
        names: {"retrieval" | "ranking": what its model is called}.
    """
    blocks = []
    for task, of_task in (("retrieval", _retrieval), ("ranking", _ranking)):
        if task not in names:
            continue
        tested = bool(table.shown_columns(metrics) if task == "retrieval" else labels.measured(metrics))
        told = metrics if tested else {f"{MODEL}{key[4:]}": value for key, value in metrics.items() if key.startswith("val/")}
        found = list(of_task(told, names[task], tested))
        blocks += [TESTED if tested else UNTESTED, *found] if found else []
    if "pair/test/candidates" in metrics:
        blocks += _pair(metrics)
    return list(dict.fromkeys(block for block in blocks if block))


def _retrieval(metrics: Metrics, name: str, tested: bool) -> Iterator[str]:
    columns = table.shown_columns(metrics)
    if not columns:
        return
    users, left_out = (metrics.get(f"{MODEL}{key}") for key in ("users", "users_left_out"))
    counted = "" if users is None else f", {users:,.0f} users"
    aside = f" ({left_out:,.0f} more have nothing to find there and are left out)" if left_out else ""
    yield f"### Retrieval: whole catalogue ranked{counted}{aside}"
    yield prose(table.verdict(metrics, name)) if tested else ""
    rows = [_row(metrics, row, columns) for row in table.ranked(metrics, name)]
    if tested and f"val/{columns[0]}" in metrics:
        rows.append(_row(metrics, table.Row(f"{name}, validation", "val/"), columns))
    yield markdown_table(["", *columns], rows)
    groups = dict.fromkeys(match[1] for key in metrics if (match := re.fullmatch(rf"{MODEL}(.+=.*)/{re.escape(columns[0])}", key)))
    if groups:
        yield "Groups, worst first:"
        of_groups = table.shown_columns(metrics, f"{next(iter(groups))}/")
        yield _groups(metrics, {group: f"{MODEL}{group}/" for group in groups}, of_groups, "users", worst=1)


def _ranking(metrics: Metrics, name: str, tested: bool) -> Iterator[str]:
    for label in labels.measured(metrics):
        rows, positives = (metrics.get(f"{MODEL}{label}/{key}") for key in ("rows", "positives"))
        counted = "" if positives is None else f", {positives:,.0f} positive"
        yield f"### {code(label)}: {rows:,.0f} impressions{counted}"
        yield prose(" ".join(labels.judged(metrics, label, name))) if tested else ""
        columns = labels.shown_columns(metrics, label)
        shown = [_row(metrics, row, columns, label) for row in labels.ranked(metrics, label, name)]
        if tested and f"val/{label}/{columns[0]}" in metrics:
            shown.append(_row(metrics, table.Row(f"{name}, validation", "val/"), columns, label))
        yield markdown_table(["", *_headings(columns)], shown)
        pattern = rf"{MODEL}(.+=.*)/{re.escape(label)}/{columns[0]}"
        groups = dict.fromkeys(match[1] for key in metrics if (match := re.fullmatch(pattern, key)))
        if groups:
            of_groups = [column for column in columns if any(f"{MODEL}{group}/{label}/{column}" in metrics for group in groups)]
            worst = -1 if columns[0] in labels.LESS_IS_BETTER else 1
            yield f"{code(label)} by groups, worst first:"
            yield _groups(metrics, {group: f"{MODEL}{group}/{label}/" for group in groups}, of_groups, "rows", worst=worst)


def _pair(metrics: Metrics) -> list[str]:
    columns = pair.shown_columns(metrics)
    candidates, users = (metrics[f"pair/test/{key}"] for key in ("candidates", "users"))
    orders = [order for order in pair.ROWS if any(f"{order}/test/{column}" in metrics for column in columns)]
    rows = [_row(metrics, table.Row(pair.ROWS[order], f"{order}/test/"), columns) for order in orders]
    heading = f"### Retrieve {candidates:,.0f}, then rank: {users:,.0f} test users"
    return [heading, prose(pair.verdict(metrics)), markdown_table(["", *columns], rows)]


def _groups(metrics: Metrics, prefixes: Mapping[str, str], columns: list[str], counted: str, *, worst: int) -> str:
    """One row per group; `worst` is 1 where the smallest first column is the worst, else -1."""
    rows = []
    for group, prefix in sorted(prefixes.items(), key=lambda entry: worst * metrics[f"{entry[1]}{columns[0]}"]):
        name, _, value = group.partition("=")
        size = metrics.get(f"{prefix}{counted}")
        cells = [_cell(metrics, prefix + column) for column in columns]
        rows.append([code(name), code(value), "–" if size is None else f"{size:,.0f}", *cells])
    return markdown_table(["group", "value", counted, *_headings(columns)], rows, text=2)


def _headings(columns: list[str]) -> list[str]:
    return [labels.HEADINGS.get(column, column) for column in columns]


def _row(metrics: Metrics, row: table.Row, columns: list[str], label: str | None = None) -> list[str]:
    prefix = row.prefix if label is None else f"{row.prefix}{label}/"
    name = prose(row.name)
    return [f"**{name}**" if row.prefix == MODEL else name, *(_cell(metrics, prefix + column) for column in columns)]


def _cell(metrics: Metrics, key: str) -> str:
    value, low, high = (metrics.get(entry) for entry in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return "n/a"
    return f"{value:.4f}" if low is None or high is None else f"{value:.4f} ({low:.3f}–{high:.3f})"
