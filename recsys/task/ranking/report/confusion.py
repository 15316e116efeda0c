"""Whether each label's prediction knows something of its own: how well it orders the rows of every other label."""

import math

from recsys.metric.binary import auc
from recsys.report.content import Grid, Section
from recsys.run.directory import RunDirectory
from recsys.task.ranking.report.predictions import tested_targets

TEXT = (
    "AUC of each label's prediction for every label. In a column the label's own prediction should be the best; where another is as "
    "good, the label has learnt nothing of its own."
)


def section(run: RunDirectory) -> Section | None:
    """A column per label, over the rows that it concerns; None where there are not two labels."""
    binary = [target for target in tested_targets(run)[0] if target.binary]
    if len(binary) < 2:
        return None
    rows = []
    for score in binary:
        values = (auc(score.predicted[of.rows], of.actual[of.rows]) for of in binary)
        rows.append((score.name, *(None if math.isnan(value) else value for value in values)))
    grid = Grid(
        "task_confusion", "AUC of a prediction (row) for a label (column)", ("prediction", *(of.name for of in binary)), tuple(rows)
    )
    return Section("task_confusion", "Labels against each other", (TEXT, *_confused(rows)), (grid,))


def _confused(rows: list[tuple]) -> list[str]:
    """A sentence on each label that the prediction of another label orders better."""
    sentences = []
    for place, (name, *_) in enumerate(rows, 1):
        known = [(row[place], row[0]) for row in rows if row[place] is not None]
        best = max(known, default=None, key=lambda entry: entry[0])
        own = rows[place - 1][place]
        if best is not None and own is not None and best[0] > own:
            sentences.append(f"{name} is ordered better by the prediction of {best[1]}: {best[0]:.4f} against {own:.4f}.")
    return sentences
