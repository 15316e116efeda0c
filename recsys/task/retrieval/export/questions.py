"""Test users as a server is asked about them, and what is measured on their lists. U users, L list length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.data.read.rows import EvaluationUsers, gather_rows
from recsys.data.store.raw_categories import MOST_ENTITIES, spread
from recsys.export.index.base import SearchIndex
from recsys.export.preprocessing import raw_lists
from recsys.export.production import mean_difference, production_errors, request_columns
from recsys.export.section import Narrowed
from recsys.export.source_values import SourceValues
from recsys.metric.paired import Sample, drawn_again
from recsys.run.directory import RunDirectory
from recsys.schema import Schema
from recsys.serve import Retriever
from recsys.task.retrieval.export.approximate import write_approximate
from recsys.task.retrieval.export.narrowed import narrowed

K = 20
RESAMPLES = 2_000


@dataclass(frozen=True)
class UserQuestions:
    """Test users as a server is asked about them; see `recsys.export.section.Questions`.

    Attributes:
        raw: {column: [U] or [U, L]} raw values.
        exclude: per user the raw ids that must not be answered.
        relevant: per user the raw ids that were chosen; at least one.
        items: {column: [M] or [M, L]} raw values of items, for the item tower.
    """

    raw: Mapping[str, np.ndarray]
    exclude: Sequence[Sequence[Any]]
    relevant: Sequence[Sequence[Any]]
    items: Mapping[str, np.ndarray]

    def narrowed(self, before: Path, after: Path, manifest: Mapping, schema: Schema) -> Narrowed:
        """See `Questions.narrowed`."""
        dtype = manifest["items"]["dtype"]
        relevant = [np.array(items, object if dtype == "string" else np.int64) for items in self.relevant]
        return narrowed(before, after, {**self.raw, "exclude": raw_lists(self.exclude, dtype)}, relevant, k=K, items=self.items)

    def compared(self, new: Path, old: Path, schema: Schema) -> tuple[list[str], list[Sample]]:
        """See `Questions.compared`."""
        with production_errors(old):
            theirs = Retriever(old)
        before, after = (self._values(retriever, schema, old) for retriever in (theirs, Retriever(new)))  # [U, 2] each
        measures = {f"{metric}@{K}": mean_difference(before[:, place], after[:, place]) for place, metric in enumerate(("recall", "ndcg"))}
        return [], drawn_again(measures, len(self.relevant), RESAMPLES, bearing=len(self.relevant))

    def approximate(self, folder: Path, index: SearchIndex, manifest: Mapping) -> dict:
        """See `Questions.approximate`."""
        return write_approximate(folder, index, manifest["items"], self.raw)

    def _values(self, retriever: Retriever, schema: Schema, production: Path) -> np.ndarray:
        """[U, 2] recall and NDCG of each user's list."""
        rows = request_columns(self.raw, schema, retriever.fields)
        with production_errors(production):
            answers = retriever.recommend(rows, k=K, exclude=self.exclude)
        gain = 1 / np.log2(np.arange(2, K + 2))
        values = []
        for answer, relevant in zip(answers, self.relevant):
            assert answer is not None
            wanted = set(relevant)
            hits = np.array([item in wanted for item in answer.items], np.bool_)
            values.append((hits.sum() / len(wanted), gain[: len(hits)][hits].sum() / gain[: len(wanted)].sum()))
        return np.array(values)


def questions_of(run: RunDirectory, lengths: Mapping[str, int]) -> UserQuestions:
    """Users of a run's test, with what its evaluation leaves out and looks for, and items of its catalogue.

    Args:
        lengths: {history: entries that another bundle reads}.
    """
    users, store = EvaluationUsers(run.store, "test"), run.store
    at = spread(len(users), MOST_ENTITIES)
    batch = users.batch(at)
    exclude_known = run.config.task["evaluation"]["exclude_known"]
    known, relevant = batch.question(exclude_known=exclude_known, num_items=store.num_items)
    wanted = _by_row(relevant, len(batch.user), store.item_ids)
    rows = [row for row, items in enumerate(wanted) if items]
    values, item = SourceValues(run, lengths), 1 + spread(store.num_items, MOST_ENTITIES)
    events = (users.known_start[at], users.known_stop[at])
    columns = values.columns(run.schema.of("user"), batch.features, {"user": batch.user}, events=events)
    exclude = _by_row(known, len(batch.user), store.item_ids)
    return UserQuestions(
        {column: column_values[rows] for column, column_values in columns.items()},
        [exclude[row] for row in rows],
        [wanted[row] for row in rows],
        items=values.columns(run.schema.of("item"), gather_rows(store.item_features, item), {"item": item}),
    )


def _by_row(pairs: Tensor, rows: int, ids: pl.Series) -> Sequence[list]:
    """Raw ids of pairs [2, P] (row, item), sorted by row, as one list per row."""
    raw = ids.gather(pairs[1].numpy()).to_list()
    stops = torch.bincount(pairs[0], minlength=rows).cumsum(0).tolist()
    return [raw[start:stop] for start, stop in zip([0, *stops], stops)]
