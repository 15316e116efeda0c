import os
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from recsys.batch import Batch, Catalogue, KnownItems
from recsys.candidates.base import Candidates, Sampled
from recsys.candidates.full import Full
from recsys.loss.base import RetrievalLoss
from recsys.loss.softmax import SampledSoftmax
from recsys.model.two_tower import TwoTower
from recsys.optimizer.schedule import constant
from recsys.schema import Categorical, History, Schema, Statistics
from recsys.task.retrieval.module import RetrievalModule
from recsys.tower.embedding import EmbeddingTower
from recsys.tower.sequence import SequenceTower

SCHEMA = Schema("u", "i", features=(Categorical("u", "user"), History("h", "user", of="i", max_len=3), Categorical("i", "item"))).fitted(
    {"u": Statistics("int64", size=6), "i": Statistics("int64", size=6), "h": Statistics("int64", size=6)}
)
CATALOGUE = Catalogue({"i": torch.tensor([0, 2, 3, 4, 5])}, torch.tensor([0, 1, 1, 1, 1]))  # items 1..4
KNOWN = KnownItems(start=torch.tensor([0, 0, 2, 3]), item=torch.tensor([1, 2, 4]))  # user 1: 1 and 2, user 2: 4


class Recorder(RetrievalLoss):
    """Keeps what it was called with."""

    def forward(self, users, items, positive_at, *, log_q, known, weight):
        self.seen = {"users": users, "items": items, "positive_at": positive_at, "log_q": log_q, "known": known, "weight": weight}
        return (users.sum() + items.sum()) * 0


class Refreshed(Candidates):
    """Every item, and the catalogue of the last refresh."""

    refresh_every = 2

    def __init__(self):
        super().__init__()
        self.refreshed = []

    def refresh(self, catalogue):
        self.refreshed.append(catalogue)

    def sample(self, positives, step, queries):
        return Sampled(torch.arange(1, 5), torch.zeros(4), positives - 1)


def task(*, loss, candidates=None, user=None, mask_known=False, lr=0.1):
    torch.manual_seed(0)
    model = TwoTower(
        user or partial(EmbeddingTower, 0.0),
        partial(EmbeddingTower, 0.0),
        dim=4,
        embedding_dim=4,
        normalize=True,
        share_item_table=True,
        id_dropout=0.0,
        sparse_from=99,
        schema=SCHEMA,
    )
    return RetrievalModule(
        model,
        loss,
        candidates=candidates or Full(CATALOGUE.count, 0),
        optimizer=lambda module: torch.optim.Adam(module.parameters(), lr=lr),
        scheduler=partial(constant, 0),
        catalogue=CATALOGUE,
        known=KNOWN if mask_known else None,
    )


def batch(item, user=(1, 2), history=((0, 0, 0), (0, 0, 0)), weight=(1.0, 1.0)):
    features = {"u": torch.tensor(user) + 1, "h": torch.tensor(history)}
    return Batch(features, {}, torch.tensor(weight), torch.tensor(user), torch.tensor(item))


PARTS = (
    batch(item=(1, 2), weight=(0.5, 0.0)),
    batch(item=(3, 4, 1), user=(1, 2, 1), history=((0, 0, 0),) * 3, weight=(1.0, 1.0, 1.0)),
)
"""A step's rows in two processes."""


def joined(first, second):
    features = {column: torch.cat([values, second.features[column]]) for column, values in first.features.items()}
    rest = (torch.cat([getattr(first, name), getattr(second, name)]) for name in ("weight", "user", "item"))
    return Batch(features, {}, *rest)


def fitted_on(batch, **settings):
    """A module after SGD on one batch of each process; SGD, since Adam would hide a factor."""
    module = task(loss=SampledSoftmax(0.1, False, min_temperature=0.01, max_temperature=1.0, positive_is_sampled=False))
    module.build_optimizer = lambda module: torch.optim.SGD(module.parameters(), lr=0.1)
    trained(module, [batch], **settings)
    return module


def trained(module, batches, **settings):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", max_epochs=30, **quiet, **settings)
    trainer.fit(module, DataLoader(batches, batch_size=None))
    return trainer


def test_training_puts_each_users_item_first():
    module = task(loss=SampledSoftmax(0.1, False, min_temperature=0.01, max_temperature=1.0, positive_is_sampled=False))
    trained(module, [batch(item=(3, 1))])
    users = module.model.users({"u": torch.tensor([2, 3]), "h": torch.zeros(2, 3, dtype=torch.int64)})
    assert (users @ module.item_vectors().T)[:, 1:].argmax(1).tolist() == [2, 0]  # items 3 and 1


def test_other_known_items_are_masked_only_when_asked():
    for mask_known, expected in ((True, [[0], [1]]), (False, None)):
        module = task(loss=Recorder(), mask_known=mask_known)
        trained(module, [batch(item=(1, 4))])
        known = module.loss.seen["known"]
        # user 1's positive is item 1 (column 0), so its other item 2 (column 1) is masked; user 2 has no other item
        assert (None if known is None else known.tolist()) == expected


def test_a_window_gives_one_query_per_real_position():
    module = task(loss=Recorder(), user=partial(SequenceTower, 1, 1, expansion=1, dropout=0.0))
    windows = batch(item=((1, 3, 0), (4, 0, 0)), history=((2, 4, 0), (5, 0, 0)), weight=(1.0, 0.5))
    trained(module, [windows])
    seen = module.loss.seen
    assert seen["users"].shape == (3, 4)
    assert seen["positive_at"].tolist() == [0, 2, 3]
    assert seen["weight"].tolist() == [1.0, 1.0, 0.5]


def test_a_query_has_not_seen_events_of_its_own_moment():
    module = task(loss=Recorder(), user=partial(SequenceTower, 1, 1, expansion=1, dropout=0.0))
    windows = batch(item=((1, 3, 0), (4, 2, 1)), history=((2, 4, 0), (5, 3, 2)))
    trained(module, [replace(windows, seen=torch.tensor([[0, 0, 0], [0, 1, 1]]))])
    users = module.loss.seen["users"]  # of both windows end to end
    assert torch.equal(users[1], users[0])
    assert torch.equal(users[4], users[3])
    assert not torch.equal(users[3], users[2])


def test_processes_with_differing_weights_train_like_one(forked_ranks, tmp_path):
    """In the first process a fill-up row and a row that weighs little, in the second three full rows."""
    module = fitted_on(joined(*PARTS))
    forked_ranks(__file__, [tmp_path / f"{rank}.pt" for rank in (0, 1)])
    for rank in (0, 1):
        for name, weights in torch.load(tmp_path / f"{rank}.pt").items():
            torch.testing.assert_close(weights, module.model.state_dict()[name], atol=1e-5, rtol=1e-4)


def test_mining_candidates_see_the_current_items_at_their_interval():
    candidates = Refreshed()
    module = task(loss=Recorder(), candidates=candidates)
    trained(module, [batch(item=(1, 2))] * 4)
    assert len(candidates.refreshed) == 60  # 120 steps, every second one
    assert candidates.refreshed[0].shape == (5, 4)
    assert candidates.refreshed[0][0].tolist() == [0.0] * 4


def test_item_vectors_leave_training_mode_as_it_was():
    module = task(loss=Recorder(), user=partial(SequenceTower, 1, 1, expansion=1, dropout=0.5))
    module.train()
    module.item_vectors()
    assert module.model.training
    module.eval()
    module.item_vectors()
    assert not module.model.training


def test_item_vectors_do_not_depend_on_the_chunk(monkeypatch):
    module = task(loss=Recorder())
    whole = module.item_vectors()
    monkeypatch.setattr("recsys.model.two_tower.CATALOGUE_CHUNK", 3)
    assert torch.equal(module.item_vectors(), whole)
    assert whole[1:].norm(dim=1).tolist() == pytest.approx([1.0] * 4)


if __name__ == "__main__":  # one of two processes
    rank = int(os.environ["RANK"])
    module = fitted_on(PARTS[rank], strategy="ddp", devices=2)
    torch.save(module.model.state_dict(), sys.argv[1])


def test_validation_measures_unknown_users_as_the_mean_of_known_ones():
    module = task(loss=SampledSoftmax(0.1, False, min_temperature=0.01, max_temperature=1.0, positive_is_sampled=False))
    table = module.model.user_tower.encoder.parts["u"].table
    noise = table.weight[1].clone()
    module.on_validation_start()
    assert torch.equal(table.weight[1], noise)  # training may read it
    module.unread = {"u"}
    module.on_validation_start()
    torch.testing.assert_close(table.weight[1], table.weight[2:].mean(0))
