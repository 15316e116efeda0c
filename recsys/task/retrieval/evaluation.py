"""Ranks the whole catalogue for every validation and test user. B users, V catalogue rows, D dim, K the largest cut-off.

Keys of `results`, as in metrics.json: `val/recall@20`; at test also `test/recall@20/low` and `/high`, `test/<slice>=<value>/recall@20`,
`baseline/<name>/test/recall@20` and `oracle/test/recall@20`. `<metric>@<k>` is recall, precision, hit_rate, ndcg, mrr, map (per user, tied
items at their expected value), novelty in bits, coverage and gini.
"""

from typing import Annotated, Any, Literal

import torch
from annotated_types import Predicate
from torch import Tensor

from recsys.baseline.base import Baseline, Scorer
from recsys.batch import Slice, UserBatch
from recsys.data.read.datamodule import DataModule
from recsys.errors import ConfigError, DataError, Fault, NumericsError
from recsys.metric.beyond_accuracy import self_information
from recsys.metric.declaration import Better
from recsys.metric.per_user import (
    Group,
    UserMetrics,
    UserTable,
    declarations,
    intervals,
    item_group_means,
    summary,
    too_few,
    user_group_means,
)
from recsys.metric.scores import Dense, DotProduct, Scores
from recsys.metric.top_k import top_k
from recsys.ranges import Count, Counts, Natural, distinct, require_ranges
from recsys.task.base import Evaluation
from recsys.task.retrieval.module import RetrievalModule
from recsys.task.retrieval.rivals import ValidationJudge, fitted, tiles

Stage = Literal["val", "test"]


class CatalogueEvaluation(Evaluation):
    """Exact metrics over the whole catalogue, in bounded memory; the same for every batch size and number of processes.

    The module's `item_vectors()` gives [V, D] once per evaluation; its `validation_step` and `test_step` give [B, D] users of a UserBatch.
    At test, baselines and the oracle, where it is known, answer the same users through the same metrics.

    Args:
        slice_ks: cut-offs of recall and NDCG in slices, some of `ks`.
        exclude_known: never recommend what the user had before the split; such items then do not count as relevant either.
        intervals: 0 = no 95 % intervals at test.
        min_slice_users: slices with fewer users are left out.
        item_chunk: items scored at once; memory, not numbers, depends on it.
        baselines: {name: baseline}, fitted when test starts, with the settings that rank validation best.
    Attributes:
        per_user: {key: [U] float64}, users in ascending order, with their indices under `<stage>/user`: for paired comparisons.
        recommended: [U, K] int64 items of the same users' lists, in the last evaluation; 0 where a list is shorter.
    """

    def __init__(
        self,
        ks: Counts,
        slice_ks: Annotated[list[Count], Predicate(distinct)],
        exclude_known: bool,
        intervals: Natural,
        min_slice_users: Count,
        item_chunk: Count,
        baselines: dict[str, Baseline],
        *,
        oracle: Scorer | None = None,
    ):
        super().__init__()
        require_ranges(CatalogueEvaluation, locals())
        self.ks, self.slice_ks = sorted(ks), sorted(slice_ks)
        _require_cutoffs(self.ks, self.slice_ks)
        self.exclude_known = exclude_known
        self.intervals = intervals
        self.min_slice_users = min_slice_users
        self.item_chunk = item_chunk
        self.baselines = baselines
        self.oracle = oracle
        self.per_user: dict[str, Tensor] = {}
        self.recommended = torch.empty((0, self.ks[-1]), dtype=torch.int64)

    def validated(self) -> dict[str, Better | None]:
        """{key of a metric of a validation: whether more or less of it is better}."""
        metrics = {f"val/{metric.name}@{k}": metric.better for metric in declarations() for k in self.ks}
        return metrics | {"val/users": None, "val/users_left_out": None}

    def on_validation_epoch_start(self, trainer, pl_module) -> None:
        """Encodes the catalogue."""
        self._start(trainer, pl_module, "val", {})

    def on_test_epoch_start(self, trainer, pl_module) -> None:
        """Encodes the catalogue and fits the baselines."""
        data: DataModule = trainer.datamodule
        scorers: dict[str, Scorer] = {}
        self.notes = []
        if self.baselines:
            judge = ValidationJudge(data, self.ks[-1], self.exclude_known, self.item_chunk)
            rivals = fitted(self.baselines, data, judge)
            self.notes, self.baselines_s = rivals.notes, rivals.seconds
            scorers = {f"baseline/{name}/test/": scorer for name, scorer in rivals.scorers.items()}
        self._start(trainer, pl_module, "test", scorers if self.oracle is None else {**scorers, "oracle/test/": self.oracle})

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch: UserBatch, batch_idx, dataloader_idx=0) -> None:
        """Ranks the catalogue for a batch of users."""
        self._rank(outputs, batch)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer, pl_module) -> None:
        """Logs means over all users."""
        tables = self._tables()
        if trainer.sanity_checking:
            return
        self.publish(pl_module, self._means(tables), stage="val")

    def on_test_epoch_end(self, trainer, pl_module) -> None:
        """Logs means, intervals and slices."""
        tables = self._tables()
        values = self._means(tables) | self._intervals(tables) | self._slices(tables["test/"], trainer.datamodule)
        self.publish(pl_module, values, stage="test")

    def _start(self, trainer: Any, pl_module: RetrievalModule, stage: Stage, scorers: dict[str, Scorer]) -> None:
        data: DataModule = trainer.datamodule
        with trainer.precision_plugin.val_step_context():  # the precision in which users are encoded
            self._items = pl_module.item_vectors()
        _require_finite(self._items, "item vectors")
        self._num_items = len(self._items) - 1
        self._stage = stage
        self._num_relevant = 0  # items of this process's users in this split, those that they had before among them
        self._scorers = scorers
        bits = self_information(data.catalogue.count.cpu())
        groups = _groups(data.item_slices(stage)) if stage == "test" else []
        self._metrics = {f"{stage}/": UserMetrics(self.ks, self.slice_ks, bits=bits, groups=groups)}
        self._metrics |= {prefix: UserMetrics(self.ks, self.slice_ks, bits=bits, groups=[]) for prefix in scorers}
        for metrics in self._metrics.values():
            metrics.to(pl_module.device)  # where processes exchange tensors

    def _rank(self, users: Tensor, batch: UserBatch) -> None:
        _require_finite(users, "user vectors")
        self._measure(f"{self._stage}/", DotProduct(users, self._items), batch)
        parts = tiles(batch.to(torch.device("cpu")))
        for prefix, scorer in self._scorers.items():
            for part in parts:
                self._measure(prefix, Dense(scorer.scores(part.user, part.known)), part)

    def _measure(self, prefix: str, scores: Scores, batch: UserBatch) -> None:
        if prefix == f"{self._stage}/":
            self._num_relevant += batch.relevant.shape[1]
        known, relevant = batch.question(exclude_known=self.exclude_known, num_items=self._num_items)
        top = top_k(scores, self.ks[-1], known=known, relevant=relevant, item_chunk=self.item_chunk)
        self._metrics[prefix].update(batch.user, top.cpu(), relevant.cpu())

    def _tables(self) -> dict[str, UserTable]:
        """{prefix: table of all users of all processes}; frees what the evaluation held."""
        tables = {prefix: metrics.compute() for prefix, metrics in self._metrics.items()}
        del self._metrics, self._scorers, self._items
        return tables

    def _means(self, tables: dict[str, UserTable]) -> dict[str, float]:
        if not len(tables[f"{self._stage}/"].user):
            raise DataError(self._nothing_to_find())
        means: dict[str, float] = {}
        for prefix, table in tables.items():
            means |= {prefix + name: value for name, value in summary(table, self.ks, self._num_items).items()}
            self.per_user |= {prefix + name: table.column(name) for name in table.columns if "/" not in name}
        own = tables[f"{self._stage}/"]
        self.per_user[f"{self._stage}/user"], self.recommended = own.user, own.items
        return means

    def _nothing_to_find(self) -> Fault:
        what, number = f"no user has an item to find in the {self._stage} split", self._num_relevant
        if not number or not self.exclude_known:
            return Fault(what, "data.split", "give that split more rows")
        what += f": {number:,} of {number:,} items of its users are among those that they had before"
        remedy = "set task.evaluation.exclude_known=false to recommend items again, or move the cut with data.split"
        return Fault(what, "task.evaluation.exclude_known, data.split", remedy)

    def _intervals(self, tables: dict[str, UserTable]) -> dict[str, float]:
        """Bounds of every mean, or a note that there are too few users: every table holds the same ones."""
        if not self.intervals:
            return {}
        self.notes += too_few(len(tables["test/"].user))
        bounds: dict[str, float] = {}
        for prefix, table in tables.items():
            names = [name for name in table.columns if "/" not in name]
            for name, (low, high) in intervals(table.values[:, : len(names)], names).items():
                bounds |= {f"{prefix}{name}/low": low, f"{prefix}{name}/high": high}
        return bounds

    def _slices(self, table: UserTable, data: DataModule) -> dict[str, float]:
        users = user_group_means(table, _groups(data.user_slices("test")), ks=self.slice_ks, min_users=self.min_slice_users)
        items = item_group_means(table, _groups(data.item_slices("test")), ks=self.slice_ks, min_users=self.min_slice_users)
        return {f"test/{key}": value for key, value in (users | items).items()}


def _require_cutoffs(ks: list[int], slice_ks: list[int]) -> None:
    missing = [k for k in slice_ks if k not in ks]
    if missing:
        raise ConfigError(Fault(f"slice_ks {missing} are not among ks={ks}", "task.evaluation.slice_ks", "add them to ks"))


def _groups(slices: list[Slice]) -> list[Group]:
    return [Group(f"{part.name}={value}", part.codes.cpu(), code) for part in slices for code, value in enumerate(part.values)]


def _require_finite(vectors: Tensor, what: str) -> None:
    broken = int((~vectors.isfinite()).any(1).sum())
    if broken:
        fault = f"{broken:,} of {len(vectors):,} {what} hold NaN or infinity"
        raise NumericsError(Fault(fault, "catalogue evaluation", "lower optimizer.dense.lr and optimizer.tables.lr, or train in float32"))
