"""Test rows as a server is asked about them, and what is measured on their predictions. N rows, L list length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recsys.data.read.impressions import EvaluationImpressions, outcomes
from recsys.data.store.raw_categories import MOST_ROWS, spread
from recsys.export.graph import session
from recsys.export.index.base import SearchIndex
from recsys.export.production import SourceValues, production_errors, request_columns
from recsys.export.requests import Feed, p50_ratio, rows_of
from recsys.export.section import Narrowed
from recsys.metric.binary import tally
from recsys.metric.impressions import Impressions, impressions, interval_of
from recsys.metric.paired import Sample, drawn_again
from recsys.run.directory import RunDirectory
from recsys.schema import Schema, chains
from recsys.serve import Ranker

RESAMPLES = 400
ROWS_PER_CALL = 4_096
CANDIDATES = 200
"""Rows of one call when graphs are compared: the candidates of one user."""


@dataclass(frozen=True)
class RowQuestions:
    """Test rows as a server is asked about them; see `recsys.export.section.Questions`.

    Attributes:
        raw: {column: [N] or [N, L]} raw values.
        labels: {label: [N] float32}, NaN where missing.
        user: [N] int64, drawn again as a whole; None: each row alone.
    """

    raw: Mapping[str, np.ndarray]
    labels: Mapping[str, Tensor]
    user: Tensor | None

    def __len__(self) -> int:
        return len(next(iter(self.labels.values())))

    def narrowed(self, before: Path, after: Path, manifest: Mapping, schema: Schema) -> Narrowed:
        """See `Questions.narrowed`."""
        users = [feature.column for feature in schema.of("user")]
        return narrowed(before, after, self.raw, users, *(self.truth(schema, kind) for kind in ("binary", "regression")))

    def truth(self, schema: Schema, kind: Literal["binary", "regression"]) -> dict[str, np.ndarray]:
        """{output of a ranker: what came of each row [N], NaN where that does not count}, of labels of this kind and of their funnels."""
        return {name: np.where(counts, label, np.nan) for name, (label, counts) in targets(schema, self.labels, kind).items()}

    def question_samples(self, new: Path, old: Path, schema: Schema) -> tuple[list[str], list[Sample]]:
        """See `Questions.question_samples`."""
        with production_errors(old):
            theirs = Ranker(old)
        mine = Ranker(new)
        absent = [f"it predicts no '{label}'" for label in theirs.labels if label not in mine.labels]
        samples = self.samples(mine, theirs, schema, old)
        return absent + ([] if samples else ["nothing can be compared: no label has both classes in the test data of both"]), samples

    def samples(self, new: Ranker, old: Ranker, schema: Schema, production: Path) -> list[Sample]:
        """AUC of both, for each label that both predict and that has both classes."""
        both = [self._predicted(ranker, schema, production) for ranker in (old, new)]
        samples = []
        for name, (label, rows) in targets(schema, self.labels).items():
            if all(name in each for each in both) and label[rows].unique().numel() == 2:
                units = self.user[rows] if self.user is not None else None
                measured = [impressions(each[name][rows], label[rows], user=units, ks=[]) for each in both]
                aucs = {f"{name}/auc": partial(_aucs, measured)}
                first = measured[0]
                samples += drawn_again(aucs, first.num_units, RESAMPLES, bearing=first.num_bearing(), interval=interval_of)
        return samples

    def approximate(self, folder: Path, index: SearchIndex, manifest: Mapping) -> dict:
        """A ranker searches nothing."""
        raise NotImplementedError

    def _predicted(self, ranker: Ranker, schema: Schema, production: Path) -> dict[str, Tensor]:
        """{output: [N] float64}."""
        rows = request_columns(self.raw, schema, {**ranker.user_fields, **ranker.row_fields})
        parts = []
        for start in range(0, len(self), ROWS_PER_CALL):
            with production_errors(production):
                parts.append(ranker.predict({column: values[start : start + ROWS_PER_CALL] for column, values in rows.items()}))
        return {label: torch.tensor([value for part in parts for value in part[label]], dtype=torch.float64) for label in ranker.labels}


def questions_of(run: RunDirectory, lengths: Mapping[str, int]) -> RowQuestions:
    """Impressions of a run's test, with what came of them; see `recsys.export.section`."""
    store = run.store
    test_rows, results = EvaluationImpressions(store, "test"), outcomes(store, "test", ())
    at = spread(len(test_rows), MOST_ROWS)
    row = test_rows.impressions.rows[at]
    user, item = store.user[row].long(), store.item[row].long()
    raw = SourceValues(run, lengths).columns(
        run.schema.of("user", "item", "context"),
        test_rows.batch(at).features,
        {"user": user, "item": item, "context": row},
        events=(store.event_start[user], store.history_stop[row]),
    )
    user_of_row = None if results.user is None else results.user[at]
    return RowQuestions(raw, {column: values[at] for column, values in results.labels.items()}, user_of_row)


def _aucs(measured: Sequence[Impressions], copies: np.ndarray) -> list[float]:
    return [each.ordered.tally(copies[each.unit]).auc() for each in measured]


def targets(
    schema: Schema, labels: Mapping[str, Tensor], kind: Literal["binary", "regression"] = "binary"
) -> dict[str, tuple[Tensor, Tensor]]:
    """{output of a ranker: what came of each row [N], and where that counts [N] bool}, of labels of this kind and of their funnels.

    A label counts in the rows where the one it is given is 1, its funnel in all; where it is missing neither does.
    """
    wanted = {label.column for label in schema.labels if label.kind == kind}
    outputs: dict[str, tuple[Tensor, Tensor]] = {}
    for column, chain in chains(schema.labels).items():
        if column in wanted:
            reached = torch.stack([torch.ones_like(labels[column]), *(labels[given] for given in chain[:-1])]).eq(1).all(0)
            funnel = torch.stack([labels[name].nan_to_num() for name in chain]).prod(0)
            outputs[column] = (labels[column], reached & ~labels[column].isnan())
            # a later step of a funnel that ended is no conversion, whether or not it was written down
            ended = torch.stack([labels[name] == 0 for name in chain]).any(0)
            known = torch.stack([~labels[name].isnan() for name in chain]).all(0)
            outputs.setdefault("_".join(chain), (funnel, ended | known))
    return outputs


def narrowed(
    before: Path, after: Path, feed: Feed, user_columns: Sequence[str], labels: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray]
) -> Narrowed:
    """Change by narrow weights of the metrics of predictions, and of the time of one user's candidates.

    Args:
        feed: {input: [N, ...]} raw columns.
        user_columns: those of `feed` that one user brings for all candidates.
        labels, numbers: {output: [N] float}, probabilities and not, NaN where the row does not count.
    """
    outputs, starts = [*labels, *numbers], range(0, len(next(iter(feed.values()))), CANDIDATES)
    graphs = [session(folder / "ranker.onnx") for folder in (before, after)]
    metrics = []
    for graph in graphs:
        parts = [graph.run(outputs, rows_of(feed, start, CANDIDATES)) for start in starts]
        metrics.append(_metrics({output: np.concatenate(values) for output, values in zip(outputs, zip(*parts))}, labels, numbers))
    user = {column: feed[column] for column in user_columns}
    rows = {column: values for column, values in feed.items() if column not in user}
    requests = [rows_of(user, start, 1) | rows_of(rows, start, CANDIDATES) for start in starts]
    return Narrowed(metrics[0], metrics[1], p50_ratio={"ranker": p50_ratio(graphs[0], graphs[1], outputs, requests)})


def _metrics(predictions: Feed, labels: Feed, numbers: Feed) -> dict[str, float]:
    """{"<label>/ece", "<label>/auc", "<number>/rmse"}, of those that have a value."""
    metrics = {}
    for output, actual in {**labels, **numbers}.items():
        known = ~np.isnan(actual)
        if not known.any():
            continue
        predicted, truth = predictions[output][known], actual[known]
        if output in numbers:
            metrics[f"{output}/rmse"] = float(np.sqrt(np.mean((predicted - truth).astype(np.float64) ** 2)))
            continue
        counts = tally(torch.from_numpy(predicted), torch.from_numpy(truth))
        metrics[f"{output}/ece"] = counts.calibration_error()
        if len(np.unique(truth)) == 2:
            metrics[f"{output}/auc"] = counts.auc()
    return metrics
