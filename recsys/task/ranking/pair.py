"""Retrieve, then rank: what a ranker makes of a trained retriever's best items. B users, K candidates, V catalogue rows, C cut-offs.

Keys: `pair/retriever/test/recall@20` and `ndcg@20` of the retriever's own order, `pair/test/recall@20` of the ranker's order of the
same candidates, and `pair/test/recall@20/gain`, pair minus retriever user by user, each with `/low` and `/high`;
`pair/retriever/test/recall@200`, the share of the items to find that is among K=200 candidates. Where the truth is known also two orders
of it, `pair/oracle/test/recall@20` and `pair/exposed_oracle/test/recall@20`, and of every order `true_click@20`: the mean over the first
20 of the true P(click | shown); `pair/best/test/true_click@20` is that of the best 20 of the whole catalogue.
"""

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from recsys.baseline.base import Scorer
from recsys.batch import Catalogue, ImpressionBatch, UserBatch
from recsys.config import TrainConfig
from recsys.data.read.datamodule import DataModule
from recsys.data.read.oracle import oracles_of_candidates
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault, name_list
from recsys.metric.funnel import Predictions
from recsys.metric.interval import FEWEST, difference_intervals
from recsys.metric.per_user import intervals, mean
from recsys.metric.ranking import ndcg, rank, recall
from recsys.metric.scores import TILE_USERS, Dense, DotProduct
from recsys.metric.top_k import TopK, top_k
from recsys.model.two_tower import TwoTower
from recsys.ranges import Count, Counts, Natural, require_ranges
from recsys.run.directory import RunDirectory
from recsys.schema import Schema, chains, differences
from recsys.source.base import Source
from recsys.task.ranking.module import RankingModule, by_label, calibrated

ROWS_PER_PASS = 2_048
"""Candidates that the ranker judges at once."""
ITEM_CHUNK = 16_384
"""Items that the retriever scores at once."""


@dataclass
class Pair:
    """Measures orders of the same candidates, for every user whom the retriever's own evaluation asks, in bounded memory.

    Candidates are the retriever's best K; their scores are probabilities of the label that makes a row positive, as the ranker says
    them, calibrated, of this user, at the start of the test, in the context of the first page that the test shows.

    Attributes:
        num_candidates: K.
        ks: cut-offs, each at most K.
        intervals: 0 = no 95 % intervals.
        retriever: the trained model, in evaluation mode.
        exclude_known: whether its evaluation leaves out what the user had before the split.
        labels: the funnel down to the label that makes a row positive: the product of their probabilities is what candidates are worth.
        truths: {"oracle": what candidates are worth in truth, "exposed_oracle": the positives to expect of them in the test period, with
            what is shown then}; empty where nothing is known.
    """

    num_candidates: Count
    ks: Counts
    intervals: Natural
    _: KW_ONLY
    retriever: TwoTower
    exclude_known: bool
    labels: tuple[str, ...]
    truths: dict[str, Scorer]

    def __post_init__(self):
        require_ranges(Pair, vars(self))
        self.ks = sorted(self.ks)
        if self.ks[-1] > self.num_candidates:
            what = f"ks={self.ks} of {self.num_candidates} candidates"
            raise ConfigError(Fault(what, "task.pair.ks", "give cut-offs from 1 to task.pair.num_candidates"))

    @cached_property
    def columns(self) -> list[str]:
        """Keys of what is measured of each user."""
        metrics = ("recall", "ndcg", *([f"true_{'_'.join(self.labels)}"] if self.truths else []))
        orders = ("pair/retriever", "pair", *(f"pair/{name}" for name in self.truths))
        names = [f"{order}/test/{metric}@{k}" for order in orders for metric in metrics for k in self.ks]
        best = [f"pair/best/test/{metrics[-1]}@{k}" for k in self.ks] if self.truths else []
        return [*names, *best, f"pair/retriever/test/recall@{self.num_candidates}"]

    def metrics(self, trainer: Any, pl_module: RankingModule) -> dict[str, float]:
        """{key: value} of all users of all processes, each of which takes its share of them."""
        data: DataModule = trainer.datamodule
        device, pages = pl_module.device, data.first_pages("test")
        catalogue, retriever = data.catalogue.to(device), self.retriever.to(device)
        per_user = Predictions(len(self.columns), dtype=torch.float64).to(device)
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            items = retriever.catalogue(catalogue.features)
            mine = torch.arange(len(pages))[trainer.global_rank :: trainer.world_size]
            for start in range(0, len(mine), TILE_USERS):
                number = mine[start : start + TILE_USERS]
                batch = pages.batch(number).to(device)
                known, relevant = batch.question(exclude_known=self.exclude_known, num_items=len(items) - 1)
                scores = DotProduct(retriever.users(batch.features), items)
                top = top_k(scores, self.num_candidates, known=known, relevant=relevant, item_chunk=ITEM_CHUNK)
                worth = self._worth(batch, top.items, catalogue, pl_module)
                per_user.update(number, self._values(batch.user.cpu(), known.cpu(), relevant.cpu(), top.cpu(), worth))
        return self._summary(per_user.compute())

    def _worth(self, batch: UserBatch, candidates: Tensor, catalogue: Catalogue, pl_module: RankingModule) -> Tensor:
        """[B, K] float64 on the CPU: what the ranker says of candidates [B, K]."""
        item = candidates.view(-1)
        row = torch.arange(len(candidates), device=item.device).repeat_interleave(candidates.shape[1])
        outputs = []
        for number in torch.arange(len(item), device=item.device).split(ROWS_PER_PASS):
            users = {column: values.index_select(0, row[number]) for column, values in batch.features.items()}
            outputs.append(pl_module.validation_step(ImpressionBatch(users | catalogue.rows(item[number]), number), 0))
        predicted = calibrated(by_label(torch.cat(outputs).cpu(), pl_module), pl_module)
        return torch.stack([predicted[label] for label in self.labels]).prod(0).view_as(candidates)

    def _values(self, user: Tensor, known: Tensor, relevant: Tensor, lists: TopK, worth: Tensor) -> Tensor:
        """[B, columns] float64; NaN in the first where a user has nothing to find."""
        truth = {name: scorer.scores(user, known) for name, scorer in self.truths.items()}  # [B, V] each
        orders = {"retriever": lists.scores, "pair": worth, **{name: scores.gather(1, lists.items) for name, scores in truth.items()}}
        column = _column(relevant, lists.items)
        values = []
        for scores in orders.values():
            top = _ordered(scores.masked_fill(lists.items == 0, -torch.inf), column)
            ranking = rank(top, column[0], top.relevant_start)
            values += [recall(ranking, self.ks), ndcg(ranking, self.ks)]
            if truth:
                values.append(_mean_of_first(_expected(orders["oracle"], top), self.ks))
        if truth:
            best = top_k(Dense(truth["oracle"]), self.ks[-1], known=known, relevant=relevant[:, :0], item_chunk=ITEM_CHUNK).scores
            values.append(_mean_of_first(best.masked_fill(best == -torch.inf, 0.0), self.ks))
        return torch.cat([*values, recall(ranking, [self.num_candidates])], 1)  # of all candidates: the same in any order

    def _summary(self, values: Tensor) -> dict[str, float]:
        """Means over the users [U, columns] with something to find, what the pair gains, and intervals."""
        counted = values[~values[:, 0].isnan()]
        assert len(counted), "the retriever's own test found users to ask"
        column = dict(zip(self.columns, counted.unbind(1)))
        pairs = [name for name in self.columns if name.startswith("pair/test/")]
        gains = [column[name] - column[name.replace("pair/", "pair/retriever/")] for name in pairs]
        gain, names = torch.stack(gains, 1), [f"{name}/gain" for name in pairs]
        results = dict(zip([*self.columns, *names], mean(torch.cat([counted, gain], 1))))
        if self.intervals and len(counted) >= FEWEST:
            of_gains = (bound.tolist() for bound in difference_intervals(gain.numpy()))
            bounds = intervals(counted, self.columns) | dict(zip(names, zip(*of_gains)))
            for name, (low, high) in bounds.items():
                results |= {f"{name}/low": low, f"{name}/high": high}
        counts = {"candidates": self.num_candidates, "users": len(counted), "users_left_out": len(values) - len(counted)}
        return results | {f"pair/test/{name}": float(count) for name, count in counts.items()}


def _column(relevant: Tensor, candidates: Tensor) -> Tensor:
    """[2, R] (row, place among the row's candidates [B, K], from 1; 0 = not among them) of pairs (row, item)."""
    row, item = relevant
    hit = candidates[row] == item[:, None]  # [R, K]
    return torch.stack([row, torch.where(hit.any(1), hit.int().argmax(1) + 1, 0)])


def _ordered(scores: Tensor, relevant: Tensor) -> TopK:
    """All candidates [B, K] by score, as a catalogue of their own; `relevant` is from `_column`, and place 0 is never listed."""
    return top_k(Dense(pad(scores, (1, 0))), scores.shape[1], known=relevant[:, :0], relevant=relevant, item_chunk=ITEM_CHUNK)


def _expected(worth: Tensor, top: TopK) -> Tensor:
    """[B, K] worth to be expected at each position of `_ordered` candidates, whose worth is [B, K]: tied ones stand in any order."""
    worth_of_item = pad(worth, (1, 0)).double().gather(1, top.items)
    return torch.zeros_like(worth_of_item).scatter_add_(1, top.start, worth_of_item).gather(1, top.start) / top.size


def _mean_of_first(per_position: Tensor, ks: list[int]) -> Tensor:
    """[B, C] means of the first k of [B, K]; an empty place counts 0."""
    return per_position.double().cumsum(1)[:, torch.tensor(ks) - 1] / torch.tensor(ks)


def pair_of(retriever: Path | None, pair: Callable[..., Pair], config: TrainConfig, *, store: Store, source: Source) -> Pair | None:
    """Measure of a ranking run with this config behind the finished retrieval run of a directory; None where none is named.

    Raises:
        ConfigError: why that run's model cannot retrieve for this one.
    """
    if retriever is None:
        return None
    run, schema = RunDirectory.finished(retriever), store.schema
    if faults := list(_faults(run, config, schema)):
        raise ConfigError(*faults)
    assert schema.positive is not None, "a ranker has labels"
    labels = chains(schema.labels)[schema.positive]
    exclude_known = run.config.task["evaluation"]["exclude_known"]
    return pair(retriever=run.model()[0], exclude_known=exclude_known, labels=labels, truths=oracles_of_candidates(source, store, labels))


def _faults(run: RunDirectory, config: TrainConfig, schema: Schema) -> Iterator[Fault]:
    """Why a run's model cannot retrieve for this one."""
    where = f"task.retriever={run.path}"
    if run.task != "retrieval":
        yield Fault(f"the run is of the task {run.task}, which retrieves nothing", where, "name a retrieval run; python train.py makes one")
        return
    columns = differences(run.schema, schema) + (["data.split"] if run.config.data.split != config.data.split else [])
    if columns:
        what = f"the retriever was trained on other data, which differ in {name_list(columns)}"
        yield Fault(what, where, "train one of the two again, with the same data options as the other")
    if schema.positive not in [label.column for label in schema.labels if label.kind == "binary"]:
        what = f"no 0/1 label says what a candidate is worth: data.positive is {schema.positive or 'null'}"
        yield Fault(what, "data.positive", "name the label that makes a row positive, such as click, in both runs")
