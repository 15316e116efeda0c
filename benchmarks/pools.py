"""Rows that requests are drawn from, of two finished runs' tests or of the shop's columns. N rows, E excluded and R relevant items."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from benchmarks.random_rows import long_tail, random_rows
from benchmarks.shop_shaped import NUM_ITEMS, shop_ranker, shop_retriever, shop_schema
from recsys.data.read.impressions import EvaluationImpressions, outcomes
from recsys.data.read.rows import EvaluationUsers
from recsys.export.bundle import load_vocabularies
from recsys.export.program import check_pair
from recsys.run.directory import RunDirectory
from recsys.schema import Schema
from recsys.task.base import facet
from recsys.task.ranking.export import RankingSection
from recsys.task.ranking.export.graph import Served
from recsys.task.retrieval.export import RetrievalSection

DRAWN = 4_096
"""Rows of each pool where there are no runs."""
WIDTH = 64
"""Items at most that a row excludes, or that are relevant to it."""


@dataclass(frozen=True)
class Pools:
    """Two models, and rows to ask them about.

    Attributes:
        schema: fitted.
        vocabularies: {column: raw values by vocabulary index}.
        retriever, ranker: as they are exported.
        users: {column: [N] or [N, L]} by index.
        exclude, relevant: [N, E] and [N, R] catalogue rows, 0 pads.
        rows: {column: [N] or [N, L]} by index.
        labels: [N] of the first label, 0 or 1.
    """

    schema: Schema
    vocabularies: Mapping[str, pl.Series]
    retriever: RetrievalSection
    ranker: RankingSection
    users: Mapping[str, Tensor]
    exclude: np.ndarray
    relevant: np.ndarray
    rows: Mapping[str, Tensor]
    labels: np.ndarray


def of_runs(retrieval: Path, ranking: Path, k: int) -> Pools:
    """Test users and test impressions of finished runs of the same data.

    Raises:
        ConfigError: they did not finish, or are no pair.
    """
    runs = RunDirectory.finished(retrieval), RunDirectory.finished(ranking)
    check_pair(*runs)
    retriever, ranker = (facet(run.task, "export").section_of(run, *run.model(), k) for run in runs)
    store, schema = runs[0].store, runs[0].schema
    asked, shown = EvaluationUsers(store, "test"), EvaluationImpressions(runs[1].store, "test")
    users = asked.batch(torch.arange(len(asked)))
    known, relevant = users.question(exclude_known=True, num_items=store.num_items)
    first = outcomes(runs[1].store, "test", ()).labels[schema.labels[0].column].numpy()
    told = torch.from_numpy(np.flatnonzero(~np.isnan(first)))
    return Pools(
        schema,
        load_vocabularies(schema, lambda column: store.vocabulary_path(schema.table(column))),
        *(retriever, ranker, users.features, _padded(known, len(asked)), _padded(relevant, len(asked))),
        rows=shown.batch(told).features,
        labels=first[told],
    )


def of_the_shop(folder: Path, k: int) -> Pools:
    """Models of random weights and random rows; vocabularies are written to the folder."""
    generator = np.random.default_rng(0)
    schema, vocabularies = shop_schema(folder)
    users, rows = (random_rows(schema, DRAWN, generator) for _ in range(2))
    ranker = shop_ranker(schema, rows)
    served = Served(ranker.model, ranker.calibrations, schema).eval()
    with torch.inference_mode():
        first = served({feature.column: rows[feature.column] for feature in served.features})[0].numpy()
    labels = first + first.std() * generator.standard_normal(DRAWN) > np.median(first)  # what happens has to do with what is predicted
    exclude, relevant = (1 + long_tail(NUM_ITEMS, (DRAWN, width), generator) for width in (20, 5))
    retriever = shop_retriever(schema, users, k)
    return Pools(schema, vocabularies, retriever, ranker, users, exclude, relevant, rows, labels.astype(np.float32))


def _padded(pairs: Tensor, rows: int) -> np.ndarray:
    """[N, at most WIDTH] items of pairs [2, P] (row, item), which are sorted by row; of more the first count."""
    row, item = pairs.numpy()
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < WIDTH
    found = np.zeros((rows, WIDTH), np.int64)
    found[row[kept], place[kept]] = item[kept]
    return found
