"""Test users as a server is asked about them, and what is measured on their lists.

U users, L list length, E excluded ids, K answers, V catalogue rows, D dim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from onnxruntime import InferenceSession
from torch import Tensor

from recsys.data.read.rows import EvaluationUsers, gather_rows
from recsys.data.store.raw_categories import MOST_ENTITIES, spread
from recsys.export.graph import session
from recsys.export.index.base import SearchIndex
from recsys.export.index.curve import write_index
from recsys.export.preprocessing import raw_array, raw_lists
from recsys.export.production import SourceValues, mean_difference, production_errors, request_columns
from recsys.export.requests import Feed, p50_ratio, rows_of, single
from recsys.export.section import Narrowed
from recsys.metric.interval import interval_of_mean, largest_square
from recsys.metric.paired import Sample, drawn_again
from recsys.run.directory import RunDirectory
from recsys.schema import Schema
from recsys.serve import Retriever
from recsys.task.retrieval.export.graph import exact_search

K = 20
RESAMPLES = 2_000
QUERIES = 512
"""Test users at most that recall of an index is measured on."""
ROWS_PER_RUN = 64
"""Rows of one call whose lists are compared, as many as a server answers at once."""


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

    def question_samples(self, new: Path, old: Path, schema: Schema) -> tuple[list[str], list[Sample]]:
        """See `Questions.question_samples`."""
        with production_errors(old):
            theirs = Retriever(old)
        before, after = (self._values(retriever, schema, old) for retriever in (theirs, Retriever(new)))  # [U, 2] each
        measures = {f"{metric}@{K}": mean_difference(before[:, place], after[:, place]) for place, metric in enumerate(("recall", "ndcg"))}
        users, imagined = len(self.relevant), dict(zip(measures, largest_square(after - before).tolist()))
        samples = drawn_again(measures, users, RESAMPLES, bearing=users, interval=lambda _: interval_of_mean, imagined=imagined)
        return [], samples

    def approximate(self, folder: Path, index: SearchIndex, manifest: Mapping) -> dict:
        """Build an index over item_embeddings.parquet and measure it on what user_tower.onnx makes of users, one by one.

        Both files are those to be published: a narrow tower makes other vectors than the model, and in int8 other ones in a batch.
        See `Questions.approximate`.
        """
        items = manifest["items"]
        frame = pl.read_parquet(folder / "item_embeddings.parquet")
        known = frame["vector"].to_numpy()
        vectors = np.concatenate([np.zeros_like(known[:1]), known])  # [V, D], row 0 pads
        ids = raw_array([None, *frame[items["column"]].to_list()], items["dtype"])
        tower, number = session(folder / "user_tower.onnx"), min(QUERIES, len(self.relevant))
        queries = np.concatenate([tower.run(["vector"], single(self.raw, row))[0] for row in range(number)])
        return write_index(folder, index, vectors, ids, queries, exact_search(vectors, index.k))

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
    """Users of a run's test, with what its evaluation leaves out and looks for, and items of its catalogue; see `recsys.export.section`."""
    users, store = EvaluationUsers(run.store, "test"), run.store
    at = spread(len(users), MOST_ENTITIES)
    batch = users.batch(at)
    exclude_known = run.config.task["evaluation"]["exclude_known"]
    known, relevant = batch.question(exclude_known=exclude_known, num_items=store.num_items)
    wanted = _by_row(relevant, len(batch.user), store.item_ids)
    rows = [row for row, items in enumerate(wanted) if items]
    values, item = SourceValues(run, lengths), 1 + spread(store.num_items, MOST_ENTITIES)
    events = (users.known_start[at], users.history_stop[at])
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


def narrowed(before: Path, after: Path, feed: Feed, relevant: Sequence[np.ndarray], *, k: int, items: Feed) -> Narrowed:
    """Change by narrow weights of the lists, the time of a single request, and the vectors of both towers.

    Args:
        feed: {input: [U, ...]} raw user columns, and `exclude` [U, E].
        relevant: [U] arrays of raw item ids, as in the graph's answers.
        k: length of the lists.
        items: {input: [M, ...]} raw item columns for item_tower.onnx; without any, it is not compared.
    """
    graphs = [session(folder / "retriever.onnx") for folder in (before, after)]
    lists = [_lists(graph, feed, len(relevant), k) for graph in graphs]
    requests = [rows_of(feed, row, 1) | {"k": np.array([k])} for row in range(len(relevant))]
    raw = {column: values for column, values in feed.items() if column != "exclude"}
    towers = {"user_tower": raw} | ({"item_tower": items} if items else {})
    return Narrowed(
        before={f"recall@{k}": _recall(lists[0], relevant)},
        after={f"recall@{k}": _recall(lists[1], relevant)},
        p50_ratio={"retriever": p50_ratio(graphs[0], graphs[1], ["items", "scores"], requests)},
        same_items={f"same_items@{k}": _recall(lists[1], lists[0])},
        vectors={name: _distance(before / f"{name}.onnx", after / f"{name}.onnx", columns) for name, columns in towers.items()},
    )


def _lists(graph: InferenceSession, feed: Feed, number: int, k: int) -> list[np.ndarray]:
    """[U] arrays [K] of raw ids, best first; only those with a finite score."""
    answers = []
    for start in range(0, number, ROWS_PER_RUN):
        items, scores = graph.run(["items", "scores"], rows_of(feed, start, ROWS_PER_RUN) | {"k": np.array([k])})
        answers += [row[finite] for row, finite in zip(items, np.isfinite(scores))]
    return answers


def _recall(lists: Sequence[np.ndarray], relevant: Sequence[np.ndarray]) -> float:
    """Mean share of a row's relevant items that its list holds, over the rows that have any."""
    return float(np.mean([np.isin(wanted, items).mean() for items, wanted in zip(lists, relevant) if len(wanted)]))


def _distance(before: Path, after: Path, feed: Feed) -> float:
    """The largest distance of a vector from that in float32, over the length of the latter; rows are asked one by one."""
    number = len(next(iter(feed.values())))
    was, now = (
        np.concatenate([graph.run(["vector"], rows_of(feed, row, 1))[0] for row in range(number)])
        for graph in (session(before), session(after))
    )
    length = np.maximum(np.linalg.norm(was, axis=1), np.finfo(np.float32).tiny)  # of a vector of zeros
    return float((np.linalg.norm(now - was, axis=1) / length).max())
