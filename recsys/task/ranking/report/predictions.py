"""Predictions of a ranking run for its test rows, and sections on their calibration, confusion and mistakes. N rows."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from torch import Tensor

from recsys.disk.records import reading
from recsys.metric.binary import tally
from recsys.metric.funnel import Target, targets
from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import element
from recsys.report.reliability import LEGEND, reliability_grid, reliability_plot
from recsys.report.words import item_text, value_text
from recsys.run.directory import CONFIG, EXAMPLES, PREDICTIONS, RunDirectory
from recsys.schema import Label


def tested_labels(run: RunDirectory) -> list[Label]:
    """Labels as config.yaml has them."""
    with reading(run.path / CONFIG):
        return [Label(**{key: value for key, value in node.items() if key != "_target_"}) for node in run.plain["data"]["labels"]]


def tested_targets(run: RunDirectory) -> tuple[list[Target], Tensor | None]:
    """Labels and funnels as the test measured them, and the number of each row's user [N] int64, where rows name one.

    Raises:
        IntegrityError: a row or column is missing, or a value cannot be one.
    """
    labels, user = tested_labels(run), run.test["user"]
    columns = [column for label in labels for column in (label.column, f"predicted/{label.column}")]
    frame = run.table(PREDICTIONS, [*columns, *([] if user is None else [user])])
    with reading(run.path / PREDICTIONS):
        if len(frame) != run.test["rows"]:
            raise ValueError(f"it has {len(frame):,} rows, and the test had {run.test['rows']:,}")
        if user is not None and frame[user].null_count():
            raise ValueError(f"column '{user}' lacks values")
        actual = {label.column: _tensor(frame[label.column]) for label in labels}
        predicted = {label.column: _tensor(frame[f"predicted/{label.column}"]) for label in labels}
        for label in labels:
            _require_possible(actual[label.column], predicted[label.column], label)
        number = None if user is None else torch.from_numpy(frame[user].rank("dense").cast(pl.Int64).to_numpy(writable=True))
        return targets(labels, predicted, actual), number


def _require_possible(actual: Tensor, predicted: Tensor, label: Label) -> None:
    """A label may be missing; what is predicted of it may not."""
    binary, known = label.kind == "binary", actual[~actual.isnan()]
    if not (((known == 0) | (known == 1)) if binary else known.isfinite()).all():
        raise ValueError(f"column '{label.column}' holds what no {label.kind} label is")
    if not (((predicted >= 0) & (predicted <= 1)) if binary else predicted.isfinite()).all():
        raise ValueError(f"column 'predicted/{label.column}' holds what predicts no {label.kind} label")


def _tensor(values: pl.Series) -> Tensor:
    if not values.dtype.is_numeric():
        raise TypeError(f"column '{values.name}' holds {values.dtype}, no numbers")
    return torch.from_numpy(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True))


def calibration_section(run: RunDirectory) -> Section | None:
    """A reliability curve per binary label and funnel; None where there is none."""
    if not run.reliability:
        return None
    figures = []
    for label, curve in run.reliability.items():
        values = ", ".join(f"predicted {each['predicted']:.4f}, came true {each['actual']:.4f}" for each in curve["bins"])
        svg = element(reliability_plot({label: curve}))
        figures.append(Figure(f"calibration/{label}", "Predicted, and came true", svg, f"Reliability of {label}: {values}"))
    return Section("calibration", "Calibration", (LEGEND,), (*figures, reliability_grid(run.reliability)))


def confusion_section(run: RunDirectory) -> Section | None:
    """AUC of each label's prediction for every label, on the rows that the latter concerns; None where there are not two labels."""
    binary = [target for target in tested_targets(run)[0] if target.binary]
    if len(binary) < 2:
        return None
    known = {target.name: target for target in binary if target.predicted_and_actual()[1].unique().numel() == 2}
    values = {
        score.name: {name: tally(score.predicted[label.rows], label.actual[label.rows]).auc() for name, label in known.items()}
        for score in binary
    }
    better = []
    for label in known:
        best = max(values, key=lambda score: values[score][label])
        own, highest = values[label][label], values[best][label]
        if highest > own:
            better.append(f"{label} is ordered better by the prediction of {best}: {highest:.4f} against {own:.4f}.")
    names = tuple(values)
    rows = tuple((score, *(values[score].get(label) for label in names)) for score in names)
    grid = Grid("task_confusion", "AUC of a prediction (row) for a label (column)", ("prediction", *names), rows)
    text = (
        "AUC of each label's prediction for every label. In a column the label's own prediction should be the best; where another is as "
        "good, the label has learnt nothing of its own."
    )
    return Section("task_confusion", "Labels against each other", (text, *better), (grid,))


def mistakes_section(run: RunDirectory) -> Section:
    """The rows of which a ranker was most wrong, with all that it knew of them, label by label."""
    with reading(run.path / EXAMPLES):
        rows = [_mistake(mistake) for mistake in run.examples["mistakes"]]
        chosen = str(run.examples["chosen"])
    grid = Grid("mistakes", "Worst mistakes", ("label", "kind", "predicted", "actual", "item", "what was known"), tuple(rows))
    text = (
        "Most of these are chance: of a hundred rows with a probability of 1 % one comes true. Look for what they have in common: a value "
        "that is missing or wrong, or a kind of row that the model does not know."
    )
    return Section("mistakes", "Worst mistakes", (f"Shown are {chosen}.", text), (grid,))


def _mistake(mistake: Mapping[str, Any]) -> tuple:
    values = {"user": mistake["user"]} | mistake["row"]
    known = ", ".join(f"{column} {value_text(value)}" for column, value in values.items() if value is not None)
    actual = mistake["actual"]
    item = "" if mistake["item"] is None else item_text(mistake["item"])
    return mistake["label"], mistake["kind"], mistake["predicted"], int(actual) if actual in (0, 1) else actual, item, known
