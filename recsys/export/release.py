"""Finished runs as the sections of a bundle, and as the questions that it shares with the one in production.

Questions hold the values of the source, which the run keeps (`recsys.data.store.raw_categories`), so that they are to both bundles what
production would send. Where the source cannot tell them, because the bundle in production reads other columns or a column as another
kind, there is no comparison (`recsys.export.production`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.config import ExportConfig, build
from recsys.data.read.impressions import EvaluationImpressions, outcomes
from recsys.data.read.rows import EvaluationUsers, gathered, items_before
from recsys.data.store.raw_categories import MOST_ENTITIES, MOST_ROWS, RawCategories, spread
from recsys.export.bundle import Release, Section
from recsys.export.gates import Limits
from recsys.export.index.base import SearchIndex
from recsys.export.lineage import lineage
from recsys.export.preprocessing import raw_array, raw_lists
from recsys.export.production import Production
from recsys.export.questions import RowQuestions, UserQuestions
from recsys.export.ranking import PARITY_ROWS as ROWS_COMPARED
from recsys.export.ranking import RankingSection
from recsys.export.retrieval import PARITY_ROWS as USERS_COMPARED
from recsys.export.retrieval import RetrievalSection
from recsys.model.two_tower import TwoTower
from recsys.run.finished import FinishedRun
from recsys.schema import Feature


def section_of(run: FinishedRun, model: torch.nn.Module, about: dict, k: int) -> Section:
    """The run's model, to be compared on users, or impressions, of its test.

    Args:
        model, about: as from `FinishedRun.model`.
        k: length of the compared lists.
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
    )


def release_of(
    config: ExportConfig,
    runs: Sequence[FinishedRun],
    *,
    production: Production | None,
    index: SearchIndex | None,
    reliability: Mapping[str, Mapping],
) -> Release:
    """What the bundle of these runs is released with.

    Args:
        production: the bundle to compare with.
        index: for approximate search.
        reliability: {label: curve} of the exported weights.
    Raises:
        ConfigError: the bundle in production cannot be asked what this one is asked.
    """
    if production is not None:
        production.check_columns(runs[0].schema, rows=runs[-1].task == "ranking")
    measured = any(each is not None for each in (production, config.quantize, index))

    def questions() -> tuple[UserQuestions | None, RowQuestions | None]:
        lengths = {} if production is None else production.lengths()
        users = next((user_questions(run, lengths) for run in runs if measured and run.task == "retrieval"), None)
        rows = next((row_questions(run, lengths) for run in runs if measured and run.task == "ranking"), None)
        return users, rows

    return Release(
        limits=Limits(**asdict(config.gate)),
        against=production,
        quantization=None if config.quantize is None else build(config.quantize),
        index=index,
        questions=questions,
        lineage=lineage(runs),
        reliability=reliability,
        dry_run=config.dry_run,
    )


def user_questions(run: FinishedRun, lengths: Mapping[str, int]) -> UserQuestions:
    """Users of a retrieval run's test, with what its evaluation leaves out and looks for, and items of its catalogue.

    Args:
        lengths: {history: entries that another bundle reads}.
    """
    users, store = EvaluationUsers(run.store, "test"), run.store
    at = spread(len(users), MOST_ENTITIES)
    batch = users.batch(at)
    exclude_known = run.config.task["evaluation"]["exclude_known"]
    known, relevant = batch.question(exclude_known=exclude_known, num_items=store.num_items)
    wanted = _by_row(relevant, len(batch.user), store.item_ids)
    asked = [row for row, items in enumerate(wanted) if items]
    raw, item = _Raw(run, lengths), 1 + spread(store.num_items, MOST_ENTITIES)
    columns = raw.columns(run.schema.of("user"), batch.features, {"user": batch.user}, events=(users.known_start[at], users.known_stop[at]))
    exclude = _by_row(known, len(batch.user), store.item_ids)
    return UserQuestions(
        {column: values[asked] for column, values in columns.items()},
        [exclude[row] for row in asked],
        [wanted[row] for row in asked],
        items=raw.columns(run.schema.of("item"), gathered(store.item_features, item), {"item": item}),
    )


def row_questions(run: FinishedRun, lengths: Mapping[str, int]) -> RowQuestions:
    """Impressions of a ranking run's test, with what came of them; arguments as of `user_questions`."""
    store = run.store
    shown, came = EvaluationImpressions(store, "test"), outcomes(store, "test", ())
    at = spread(len(shown), MOST_ROWS)
    row = shown.impressions.rows[at]
    user, item = store.user[row].long(), store.item[row].long()
    raw = _Raw(run, lengths).columns(
        run.schema.of("user", "item", "context"),
        shown.batch(at).features,
        {"user": user, "item": item, "context": row},
        events=(store.event_start[user], store.history_stop[row]),
    )
    return RowQuestions(raw, {column: values[at] for column, values in came.labels.items()}, None if came.user is None else came.user[at])


class _Raw:
    """Raw columns as graphs take them, categories as the source has them, histories as long as the longest reader wants."""

    def __init__(self, run: FinishedRun, lengths: Mapping[str, int]):
        self.store, self.schema, self.lengths = run.store, run.schema, lengths
        self.categories = RawCategories.read(run.path, run.store)

    def columns(
        self,
        kinds: Sequence[Feature],
        features: Mapping[str, Tensor],
        at: Mapping[str, Tensor],
        *,
        events: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, np.ndarray]:
        """{column: [B] or [B, L]}.

        Args:
            features: {column: [B, ...]} as the store has them; numbers, moments and vectors are raw there.
            at: {entity: [B] entity index; "context": row of the store}.
            events: where the events that a history may list begin and end, [B] each; None where no kind is a history.
        """
        found = {}
        for kind in kinds:
            dtype = self.schema.statistics[kind.column].dtype
            if not kind.has_table:
                found[kind.column] = features[kind.column].numpy()
            elif kind.is_stored:
                values = self.categories.values(kind.column, at[kind.entity].numpy())
                found[kind.column] = raw_lists(values.to_list(), dtype) if kind.is_list else raw_array(values, dtype)
            else:
                items = items_before(self.store, *events, max(kind.max_len, self.lengths.get(kind.column, 0)))
                found[kind.column] = raw_array(self.categories.values(kind.table, items.flatten().numpy()), dtype).reshape(items.shape)
        return found


def _by_row(pairs: Tensor, rows: int, ids: pl.Series) -> Sequence[list]:
    """Raw ids of pairs [2, P] (row, item), sorted by row, as one list per row."""
    raw = ids.gather(pairs[1].numpy()).to_list()
    stops = torch.bincount(pairs[0], minlength=rows).cumsum(0).tolist()
    return [raw[start:stop] for start, stop in zip([0, *stops], stops)]
