"""Retrieve, then rank: what a ranker makes of a trained retriever's best items. B users, K candidates, V catalogue rows, C cut-offs.

Keys: `pair/retriever/test/recall@20` and `ndcg@20` of the retriever's own order, `pair/test/recall@20` of the ranker's order of the
same candidates, and `pair/test/recall@20/gain`, pair minus retriever user by user, each with `/low` and `/high`;
`pair/retriever/test/recall@200`, the share of the items to find that is among K=200 candidates. Where the truth is known also two orders
of it, `pair/oracle/test/recall@20` and `pair/exposed_oracle/test/recall@20`, and of every order `true_click@20`: the mean over the first
20 of the true P(click | shown); `pair/best/test/true_click@20` is that of the best 20 of the whole catalogue.
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from recsys.baseline.base import Scorer
from recsys.batch import Catalogue, ImpressionBatch, UserBatch
from recsys.errors import ConfigError, Fault
from recsys.metric.bootstrap import bootstrap_interval
from recsys.metric.per_user import mean
from recsys.metric.predictions import Predictions
from recsys.metric.ranking import ndcg, rank, recall
from recsys.metric.scores import TILE_USERS, Dense, DotProduct
from recsys.metric.top_k import TopK, top_k
from recsys.task.ranking.module import RankingModule
from recsys.task.ranking.predicted import by_label, calibrated, side_by_side

ROWS_PER_PASS = 2_048
"""Candidates that the ranker judges at once."""
ITEM_CHUNK = 16_384
"""Items that the retriever scores at once."""


class Retriever(Protocol):
    """Vectors whose dot products say what to retrieve: a trained two-tower model in evaluation mode."""

    def to(self, device: torch.device) -> "Retriever":
        """The same on a device."""

    def users(self, features: dict[str, Tensor]) -> Tensor:
        """[B, D]."""

    def catalogue(self, features: dict[str, Tensor]) -> Tensor:
        """[V, D], row 0 zero."""


class Pages(Protocol):
    """The users of a retrieval evaluation, with what else is known when they ask for a page."""

    def __len__(self) -> int:
        """How many there are."""

    def batch(self, index: Tensor) -> UserBatch:
        """Users [B] int64 of these numbers; features of user and context, without bias columns."""


class PairData(Protocol):
    """What `Pair` reads of `trainer.datamodule`."""

    catalogue: Catalogue

    def first_pages(self, split: str) -> Pages:
        """Users who chose something in a split, at the first page that it shows them."""


class Pair:
    """Measures orders of the same candidates, for every user whom the retriever's own evaluation asks, in bounded memory.

    Candidates are the retriever's best K; their scores are probabilities of the label that makes a row positive, as the ranker says
    them, calibrated, of this user, at the start of the test, in the context of the first page that the test shows.

    Args:
        num_candidates: K.
        ks: cut-offs, each at most K.
        intervals: bootstrap resamples of 95 % intervals; 0 = none.
        retriever: the trained model.
        exclude_known: whether its evaluation leaves out what the user had before the split.
        labels: the funnel down to the label that makes a row positive: the product of their probabilities is what candidates are worth.
        truths: {"oracle": what candidates are worth in truth, "exposed_oracle": the positives to expect of them in the test period, with
            what is shown then}; empty where nothing is known.
    """

    def __init__(
        self,
        num_candidates: int,
        ks: list[int],
        intervals: int,
        *,
        retriever: Retriever,
        exclude_known: bool,
        labels: tuple[str, ...],
        truths: dict[str, Scorer],
    ):
        if not ks or not 1 <= min(ks) <= max(ks) <= num_candidates:
            raise ConfigError(
                Fault(f"ks={ks} of {num_candidates} candidates", "task.pair.ks", "give cut-offs from 1 to task.pair.num_candidates")
            )
        self.num_candidates = num_candidates
        self.ks = sorted(ks)
        self.intervals = intervals
        self.retriever = retriever
        self.exclude_known = exclude_known
        self.labels = labels
        self.truths = truths
        metrics = ("recall", "ndcg", *([f"true_{'_'.join(labels)}"] if truths else []))
        orders = ("pair/retriever", "pair", *(f"pair/{name}" for name in truths))
        names = [f"{order}/test/{metric}@{k}" for order in orders for metric in metrics for k in self.ks]
        best = [f"pair/best/test/{metrics[-1]}@{k}" for k in self.ks] if truths else []
        self.columns = [*names, *best, f"pair/retriever/test/recall@{num_candidates}"]

    def measured(self, trainer: Any, pl_module: RankingModule) -> dict[str, float]:
        """{key: value} of all users of all processes, each of which takes its share of them."""
        data: PairData = trainer.datamodule
        device, pages = pl_module.device, data.first_pages("test")
        catalogue, retriever = data.catalogue.to(device), self.retriever.to(device)
        kept = Predictions(len(self.columns), dtype=torch.float64).to(device)
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            items = retriever.catalogue(catalogue.features)
            mine = torch.arange(len(pages))[trainer.global_rank :: trainer.world_size]
            for start in range(0, len(mine), TILE_USERS):
                number = mine[start : start + TILE_USERS]
                batch = pages.batch(number).to(device)
                known, relevant = batch.question(exclude_known=self.exclude_known, num_items=len(items) - 1)
                scores = DotProduct(retriever.users(batch.features), items)
                found = top_k(scores, self.num_candidates, known=known, relevant=relevant, item_chunk=ITEM_CHUNK)
                worth = self._worth(batch, found.items, catalogue, pl_module)
                kept.update(number, self._values(batch.user.cpu(), known.cpu(), relevant.cpu(), found.cpu(), worth))
        return self._summary(kept.compute())

    def _worth(self, batch: UserBatch, candidates: Tensor, catalogue: Catalogue, pl_module: RankingModule) -> Tensor:
        """[B, K] float64 on the CPU: what the ranker says of candidates [B, K]."""
        item = candidates.view(-1)
        row = torch.arange(len(candidates), device=item.device).repeat_interleave(candidates.shape[1])
        outputs = []
        for number in torch.arange(len(item), device=item.device).split(ROWS_PER_PASS):
            users = {column: values.index_select(0, row[number]) for column, values in batch.features.items()}
            outputs.append(side_by_side(pl_module.test_step(ImpressionBatch(users | catalogue.rows(item[number]), number), 0)))
        said = calibrated(by_label(torch.cat(outputs).cpu(), pl_module), pl_module)
        return torch.stack([said[label] for label in self.labels]).prod(0).view_as(candidates)

    def _values(self, user: Tensor, known: Tensor, relevant: Tensor, found: TopK, worth: Tensor) -> Tensor:
        """[B, columns] float64; NaN in the first where a user has nothing to find."""
        truth = {name: scorer.scores(user, known) for name, scorer in self.truths.items()}  # [B, V] each
        orders = {"retriever": found.scores, "pair": worth, **{name: scores.gather(1, found.items) for name, scores in truth.items()}}
        column = _column(relevant, found.items)
        values = []
        for scores in orders.values():
            top = _ordered(scores.masked_fill(found.items == 0, -torch.inf), column)
            ranking = rank(top, column[0], top.relevant_start)
            values += [recall(ranking, self.ks), ndcg(ranking, self.ks)]
            if truth:
                values.append(_mean_of_first(_expected(orders["oracle"], top), self.ks))
        if truth:
            best = top_k(Dense(truth["oracle"]), self.ks[-1], known=known, relevant=relevant[:, :0], item_chunk=ITEM_CHUNK).scores
            values.append(_mean_of_first(best.masked_fill(best == -torch.inf, 0.0), self.ks))
        return torch.cat([*values, recall(ranking, [self.num_candidates])], 1)  # of all candidates: the same in any order

    def _summary(self, values: Tensor) -> dict[str, float]:
        """Means over the users [U, columns] with something to find, what the pair gains, and intervals from common resamples."""
        counted = values[~values[:, 0].isnan()]
        assert len(counted), "the retriever's own test found users to ask"
        at = {name: place for place, name in enumerate(self.columns)}
        pairs = [name for name in self.columns if name.startswith("pair/test/")]
        gains = [counted[:, at[name]] - counted[:, at[name.replace("pair/", "pair/retriever/")]] for name in pairs]
        names, counted = [*self.columns, *(f"{name}/gain" for name in pairs)], torch.cat([counted, torch.stack(gains, 1)], 1)
        results = dict(zip(names, mean(counted)))
        if self.intervals:
            low, high = bootstrap_interval(counted, resamples=self.intervals)
            for name, lower, upper in zip(names, low.tolist(), high.tolist()):
                results |= {f"{name}/low": lower, f"{name}/high": upper}
        users = {"pair/test/users": len(counted), "pair/test/users_left_out": len(values) - len(counted)}
        return results | {"pair/test/candidates": float(self.num_candidates)} | {name: float(count) for name, count in users.items()}


def _column(relevant: Tensor, candidates: Tensor) -> Tensor:
    """[2, R] (row, place among the row's candidates [B, K], from 1; 0 = not among them) of pairs (row, item)."""
    row, item = relevant
    hit = candidates[row] == item[:, None]  # [R, K]
    return torch.stack([row, torch.where(hit.any(1), hit.int().argmax(1) + 1, 0)])


def _ordered(scores: Tensor, relevant: Tensor) -> TopK:
    """All candidates [B, K] by score, as a catalogue of their own.

    Args:
        relevant: as from `_column`; what is at place 0 is never listed.
    """
    nothing = relevant[:, :0]
    return top_k(Dense(pad(scores, (1, 0))), scores.shape[1], known=nothing, relevant=relevant, item_chunk=ITEM_CHUNK)


def _expected(worth: Tensor, top: TopK) -> Tensor:
    """[B, K] worth to be expected at each position: tied candidates stand in any order.

    Args:
        worth: [B, K] by candidate.
        top: as from `_ordered`.
    """
    listed = pad(worth, (1, 0)).double().gather(1, top.items)
    return torch.zeros_like(listed).scatter_add_(1, top.start, listed).gather(1, top.start) / top.size


def _mean_of_first(per_position: Tensor, ks: list[int]) -> Tensor:
    """[B, C] means of the first k of [B, K]; an empty place counts 0."""
    return per_position.double().cumsum(1)[:, torch.tensor(ks) - 1] / torch.tensor(ks)
