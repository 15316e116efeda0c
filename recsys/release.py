"""Finished runs as the sections of a bundle, and as the questions that it shares with the one in production."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.callback.evaluation import question
from recsys.config import ExportConfig, build
from recsys.data.impressions import EvaluationImpressions, outcomes
from recsys.data.rows import EvaluationUsers
from recsys.export.bundle import Release, Section, load_vocabularies
from recsys.export.gates import Limits
from recsys.export.lineage import lineage
from recsys.export.questions import RowQuestions, UserQuestions
from recsys.export.ranking import PARITY_ROWS as ROWS_COMPARED
from recsys.export.ranking import RankingSection
from recsys.export.requests import requests
from recsys.export.retrieval import PARITY_ROWS as USERS_COMPARED
from recsys.export.retrieval import RetrievalSection
from recsys.index.base import SearchIndex
from recsys.model.two_tower import TwoTower
from recsys.rebuild import FinishedRun
from recsys.schema import Feature

MOST_USERS, MOST_ROWS = 5_000, 50_000
"""Test users, and test rows, that bundles are compared on: spread evenly where there are more."""


def section_of(run: FinishedRun, model: torch.nn.Module, about: dict, k: int, index: SearchIndex | None) -> Section:
    """The run's model, to be compared on users, or impressions, of its test.

    Args:
        model, about: as from `FinishedRun.model`.
        k: length of the compared lists.
        index: for approximate search, where it is a retriever.
    """
    store = run.store
    if not isinstance(model, TwoTower):
        shown = EvaluationImpressions(store, "test")
        features = shown.batch(torch.arange(min(len(shown), ROWS_COMPARED))).features
        return RankingSection(model, run.calibrations(about), features, run.config.seed)
    users = EvaluationUsers(store, "test")
    return RetrievalSection(
        model,
        item_features={column: values if values.is_floating_point() else values.long() for column, values in store.item_features.items()},
        item_ids=store.item_ids,
        user_features=users.batch(torch.arange(min(len(users), USERS_COMPARED))).features,
        k=k,
        seed=run.config.seed,
        index=index,
    )


def release_of(config: ExportConfig, runs: Sequence[FinishedRun], reliability: Mapping[str, Mapping]) -> Release:
    """What the bundle of these runs is released with.

    Args:
        reliability: {label: curve} of the exported weights.
    """
    measured = config.against is not None or config.quantize is not None
    return Release(
        limits=Limits(**asdict(config.gate)),
        against=config.against,
        quantization=None if config.quantize is None else build(config.quantize),
        users=next((user_questions(run) for run in runs if measured and not run.ranks), None),
        rows=next((row_questions(run) for run in runs if measured and run.ranks), None),
        lineage=lineage(runs),
        reliability=reliability,
        dry_run=config.dry_run,
    )


def user_questions(run: FinishedRun) -> UserQuestions:
    """Users of a retrieval run's test, with what its evaluation leaves out and looks for."""
    users, store = EvaluationUsers(run.store, "test"), run.store
    batch = users.batch(_spread(len(users), MOST_USERS))
    exclude_known = run.config.callbacks["evaluation"]["exclude_known"]
    known, relevant = question(batch, exclude_known=exclude_known, num_items=store.num_items)
    wanted = _by_row(relevant, len(batch.user), store.item_ids)
    asked = [row for row, items in enumerate(wanted) if items]
    raw = _raw(run, batch.features, run.schema.of("user"))
    exclude = _by_row(known, len(batch.user), store.item_ids)
    return UserQuestions(
        {column: values[asked] for column, values in raw.items()}, [exclude[row] for row in asked], [wanted[row] for row in asked]
    )


def row_questions(run: FinishedRun) -> RowQuestions:
    """Impressions of a ranking run's test, with what came of them."""
    shown, came = EvaluationImpressions(run.store, "test"), outcomes(run.store, "test", ())
    at = _spread(len(shown), MOST_ROWS)
    raw = _raw(run, shown.batch(at).features, run.schema.of("user", "item", "context"))
    return RowQuestions(raw, {column: values[at] for column, values in came.labels.items()}, None if came.user is None else came.user[at])


def _raw(run: FinishedRun, features: dict[str, Tensor], kinds: tuple[Feature, ...]) -> dict[str, np.ndarray]:
    vocabularies = load_vocabularies(run.schema, lambda column: run.store.vocabulary_path(run.schema.table(column)))
    return requests(features, kinds, run.schema, vocabularies, np.random.default_rng(0), unknown_share=0.0, empty_share=0.0).raw


def _by_row(pairs: Tensor, rows: int, ids: pl.Series) -> Sequence[list]:
    """Raw ids of pairs [2, P] (row, item), sorted by row, as one list per row."""
    raw = ids.gather(pairs[1].numpy()).to_list()
    stops = torch.bincount(pairs[0], minlength=rows).cumsum(0).tolist()
    return [raw[start:stop] for start, stop in zip([0, *stops], stops)]


def _spread(number: int, most: int) -> Tensor:
    return torch.arange(number) if number <= most else torch.linspace(0, number - 1, most, dtype=torch.float64).long()
