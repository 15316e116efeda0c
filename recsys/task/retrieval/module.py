"""Training a two-tower model to rank a user's next items first. B rows, L history length, Q queries, N candidates, V catalogue, D dim."""

from collections.abc import Callable, Collection

import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from recsys.batch import Batch, Catalogue, KnownItems, UserBatch
from recsys.candidates.base import Candidates
from recsys.loss.base import RetrievalLoss
from recsys.model.two_tower import TwoTower
from recsys.schema import PAD
from recsys.task.base import Evaluation, TaskModule

ROUND = 128
"""Candidates of a step are encoded in multiples of this many: each new shape makes a CPU compile its bfloat16 kernels anew."""


class RetrievalModule(TaskModule):
    """Each positive competes with the step's candidates; the item tower runs once per distinct candidate.

    Args:
        known: each user's training items, which are no negatives of that user; None = every candidate is one.
        unread: columns whose unknown value no training row has; see `TwoTower.fill_unknown`.
        optimizer, scheduler, evaluation, seed: see `TaskModule`.
    """

    def __init__(
        self,
        model: TwoTower,
        loss: RetrievalLoss,
        *,
        candidates: Candidates,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        catalogue: Catalogue,
        known: KnownItems | None = None,
        unread: Collection[str] = (),
        evaluation: Evaluation | None = None,
        seed: int = 0,
    ):
        super().__init__(optimizer=optimizer, scheduler=scheduler, evaluation=evaluation, seed=seed)
        self.model = model
        self.candidates = candidates
        self.loss = loss
        self.catalogue = catalogue
        self.known = known
        self.unread = unread

    def on_fit_start(self) -> None:
        """The catalogue follows the model to its device."""
        self.catalogue = self.catalogue.to(self.device)
        if self.known is not None:
            self.known = self.known.to(self.device)

    on_test_start = on_fit_start

    def on_validation_start(self) -> None:
        """As at the start; unknown values that training does not read get theirs, before anything is measured and saved."""
        self.on_fit_start()
        self.model.fill_unknown(self.unread)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds what this step draws by chance; gives mining candidates the current item vectors."""
        super().on_train_batch_start(batch, batch_idx)
        every = self.candidates.refresh_every
        if every and self.global_step % every == 0:
            self.candidates.refresh(self.item_vectors())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scalar loss of one batch."""
        queries, positives, users, weight = self._queries(batch)
        sampled = self.candidates.sample(positives, self.global_step, queries.detach())
        filled_up = F.pad(sampled.items, (0, -len(sampled.items) % ROUND))
        items = self.model.items(self.catalogue.rows(filled_up))[: len(sampled.items)]  # [N, D]
        known = None if self.known is None else self.known.columns(users, sampled.items, sampled.positive_at)
        loss = self.loss(queries, items, sampled.positive_at, log_q=sampled.log_q, known=known, weight=weight)
        self.log("train/loss", loss, batch_size=len(batch.weight))
        return loss * self.weight_share(weight)

    def _queries(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """[Q, D] query vectors and the [Q] positives, users and weights that belong to them."""
        if not self.model.user_tower.window:
            return self.model.users(batch.features), batch.item, batch.user, batch.weight
        real = batch.item != PAD  # [B, L]
        queries = self.model.users_at_every_position(batch.features)
        if batch.seen is not None:
            length = real.sum(1)
            queries = queries[((length.cumsum(0) - length)[:, None] + batch.seen)[real]]
        users = batch.user[:, None].expand_as(real)[real]
        return queries, batch.item[real], users, batch.weight[:, None].expand_as(real)[real]

    def validation_step(self, batch: UserBatch, batch_idx: int) -> Tensor:
        """[B, D] vectors of the users to answer; `CatalogueEvaluation` ranks the catalogue for them."""
        return self.model.users(batch.features)

    test_step = validation_step

    def item_vectors(self) -> Tensor:
        """[V, D] float32 vectors of the whole catalogue; see `TwoTower.catalogue`."""
        return self.model.catalogue(self.catalogue.features)
