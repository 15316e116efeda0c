"""Catalogue evaluation inside a real Trainer: numbers, keys, exclusions, slices, baselines, and one or two processes."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from recsys.baseline.base import TrainingEvents
from recsys.baseline.ease import EASE
from recsys.baseline.popularity import Popularity
from recsys.batch import Catalogue, Slice, UserBatch
from recsys.errors import ConfigError, DataError, NumericsError
from recsys.run.metrics_log import MetricsLog
from recsys.task.retrieval.evaluation import CatalogueEvaluation

NUM_USERS, NUM_ITEMS, DIM = 60, 40, 8


def chosen(seed: int, share: float) -> Tensor:
    """[NUM_USERS + 1, NUM_ITEMS + 1] bool; the last user chose nothing, row and column 0 pad."""
    matrix = torch.rand(NUM_USERS + 1, NUM_ITEMS + 1, generator=torch.Generator().manual_seed(seed)) < share
    matrix[0] = matrix[:, 0] = matrix[-1] = False
    return matrix


KNOWN, RELEVANT = chosen(1, 0.2), chosen(2, 0.1)


class Towers(LightningModule):
    """Fixed random vectors."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.users = torch.nn.Parameter(torch.randn(NUM_USERS + 1, DIM, generator=generator))
        self.items = torch.nn.Parameter(torch.randn(NUM_ITEMS + 1, DIM, generator=generator))

    def validation_step(self, batch: UserBatch, batch_idx: int) -> Tensor:
        return self.users[batch.user]

    test_step = validation_step

    def item_vectors(self) -> Tensor:
        return self.items


class Shop(LightningDataModule):
    """Users in batches, dealt to processes in turn."""

    def __init__(self, batch_size: int = 17, relevant: Tensor = RELEVANT):
        super().__init__()
        self.batch_size, self.relevant = batch_size, relevant
        self.catalogue = Catalogue({}, KNOWN.sum(0))
        user, item = KNOWN.nonzero(as_tuple=True)
        self.training_events = TrainingEvents(user, item, torch.zeros_like(user), num_users=NUM_USERS, num_items=NUM_ITEMS)

    def val_dataloader(self) -> DataLoader:
        users = torch.arange(1, NUM_USERS + 1).split(self.batch_size)[self.trainer.global_rank :: self.trainer.world_size]
        pairs = [(user, KNOWN[user].nonzero().T.contiguous(), self.relevant[user].nonzero().T.contiguous()) for user in users]
        return DataLoader([UserBatch({}, *part) for part in pairs], batch_size=None)

    test_dataloader = val_dataloader

    def events_before(self, split: str) -> TrainingEvents:
        twice = {name: getattr(self.training_events, name).repeat(2) for name in ("user", "item", "time")}
        return replace(self.training_events, **twice) if split == "test" else self.training_events

    def user_slices(self, split: str) -> list[Slice]:
        return [Slice("side", ("left", "right", "nobody"), (torch.arange(NUM_USERS + 1) > 30).long())]

    def item_slices(self, split: str) -> list[Slice]:
        return [Slice("shelf", ("top", "bottom"), (torch.arange(NUM_ITEMS + 1) > 20).long())]


class Truth:
    """An oracle that knows what users will choose."""

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        return RELEVANT[user].float()


def evaluation(**changes: object) -> CatalogueEvaluation:
    settings = {"exclude_known": True, "intervals": 0, "min_slice_users": 5, "item_chunk": 1024, "baselines": {}, **changes}
    return CatalogueEvaluation([5, 10], [10], **settings)


def run(stage: str, callback: CatalogueEvaluation, data: Shop | None = None, module: Towers | None = None, logger=False) -> Trainer:
    quiet = {"logger": logger, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    world = int(os.environ.get("WORLD_SIZE", "1"))
    trainer = Trainer(accelerator="cpu", devices=world, callbacks=[callback], use_distributed_sampler=False, **quiet)
    {"val": trainer.validate, "test": trainer.test}[stage](module or Towers(), datamodule=data or Shop(), verbose=False)
    return trainer


def recall_by_sorting(k: int, *, exclude_known: bool) -> dict[int, float]:
    """{user: recall} for users with something to find."""
    module = Towers()
    scores = (module.users @ module.items.T).detach().numpy()
    scores[:, 0] = -np.inf
    relevant = RELEVANT.numpy().copy()
    if exclude_known:
        scores[KNOWN.numpy()] = -np.inf
        relevant &= ~KNOWN.numpy()
    found = np.take_along_axis(relevant, np.argsort(-scores)[:, :k], 1).sum(1)
    return {user: found[user] / relevant[user].sum() for user in range(1, NUM_USERS + 1) if relevant[user].any()}


@pytest.mark.parametrize("exclude_known", [True, False])
def test_recall_equals_a_full_sort(exclude_known):
    callback = evaluation(exclude_known=exclude_known)

    trainer = run("val", callback)

    expected = recall_by_sorting(5, exclude_known=exclude_known)
    assert callback.per_user["val/user"].tolist() == list(expected)
    assert callback.per_user["val/recall@5"].tolist() == pytest.approx(list(expected.values()))
    assert callback.results["val/recall@5"] == pytest.approx(np.mean(list(expected.values())))
    assert callback.results["val/users"] == len(expected)
    assert callback.results["val/users_left_out"] == NUM_USERS - len(expected)
    assert trainer.callback_metrics["val/recall@5"].item() == callback.results["val/recall@5"]  # to the last bit of a float64


def test_numbers_are_equal_for_every_batch_size(monkeypatch):
    monkeypatch.setattr("recsys.task.retrieval.rivals.TILE_USERS", 16)  # baselines score several parts of a batch
    callbacks = [evaluation(baselines={"popularity": Popularity(), "ease": EASE(l2=[1.0], seconds=60)}) for _ in range(3)]

    for callback, batch_size in zip(callbacks, (1, 7, 60)):
        run("test", callback, Shop(batch_size))

    assert callbacks[0].results == callbacks[1].results == callbacks[2].results


def test_validation_measures_the_model_alone():
    callback = evaluation(intervals=10, baselines={"popularity": Popularity()}, oracle=Truth())

    run("val", callback)

    assert all(key.startswith("val/") and key.count("/") == 1 for key in callback.results)
    assert set(callback.validated()) == callback.results.keys()


def test_test_adds_baselines_oracle_slices_and_intervals():
    callback = evaluation(intervals=50, baselines={"popularity": Popularity(), "ease": EASE(l2=[1.0], seconds=1e-6)}, oracle=Truth())

    run("test", callback)

    results = callback.results
    assert results["oracle/test/ndcg@10"] == 1.0
    assert 0 < results["baseline/popularity/test/recall@10"] < 1
    assert callback.notes == ["baseline ease skipped: the inverse of 40 items takes about 0 s, more than seconds=1e-06"]
    assert results["test/recall@10/low"] < results["test/recall@10"] < results["test/recall@10/high"]
    assert results["baseline/popularity/test/recall@10/low"] < results["baseline/popularity/test/recall@10"]
    left, right = (results[f"test/side={side}/users"] for side in ("left", "right"))
    assert left + right == results["test/users"]
    weighted = left * results["test/side=left/recall@10"] + right * results["test/side=right/recall@10"]
    assert weighted / (left + right) == pytest.approx(results["test/recall@10"])
    assert "test/side=nobody/users" not in results
    assert results["test/shelf=top/users"] < results["test/users"]


@pytest.mark.parametrize("stage", ["val", "test"])
def test_results_reach_the_loggers_in_one_line(stage, tmp_path):
    callback = evaluation(intervals=5, oracle=Truth())
    run(stage, callback, logger=MetricsLog(tmp_path / "metrics.jsonl"))
    (line,) = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert (line.pop("step"), line.pop("epoch")) == (0, 0)
    assert line == pytest.approx(callback.results, rel=1e-6)  # Lightning rounds what it keeps to float32


def test_baseline_that_sees_validation_is_fitted_on_all_events_before_test():
    plain, recent = Popularity(), Popularity()
    recent.sees_validation = True

    run("test", evaluation(baselines={"plain": plain, "recent": recent}))

    assert torch.equal(plain.count, KNOWN.sum(0).float())
    assert torch.equal(recent.count, 2 * plain.count)


def test_item_slice_counts_only_its_items():
    top_shelf = RELEVANT.clone()
    top_shelf[:, 21:] = False
    callback, restricted = evaluation(), evaluation()

    run("test", callback)
    run("test", restricted, Shop(relevant=top_shelf))

    assert callback.results["test/shelf=top/recall@10"] == restricted.results["test/recall@10"]
    assert callback.results["test/shelf=top/users"] == restricted.results["test/users"]


def test_constant_model_is_at_chance():
    module = Towers()
    torch.nn.init.zeros_(module.users)
    callback = evaluation(exclude_known=False)

    run("val", callback, module=module)

    assert callback.results["val/recall@10"] == pytest.approx(10 / NUM_ITEMS, abs=1e-15)


def test_broken_vectors_are_refused():
    module = Towers()
    module.users.data[3, 0] = torch.nan

    with pytest.raises(NumericsError, match="1 of 17 user vectors hold NaN"):
        run("val", evaluation(), module=module)


def test_split_without_relevant_items_is_refused():
    with pytest.raises(DataError, match="no user has an item to find in the val split"):
        run("val", evaluation(), Shop(relevant=torch.zeros_like(RELEVANT)))


def test_slice_cutoff_outside_ks_is_refused():
    with pytest.raises(ConfigError, match=r"slice_ks \[20\] are not among ks=\[5, 10\]"):
        CatalogueEvaluation([5, 10], [20], exclude_known=True, intervals=0, min_slice_users=1, item_chunk=1, baselines={})


def full() -> CatalogueEvaluation:
    return evaluation(intervals=50, baselines={"popularity": Popularity(), "ease": EASE(l2=[1.0], seconds=60)}, oracle=Truth())


@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_give_the_numbers_of_one(forked_ranks, tmp_path, world):
    forked_ranks(__file__, [tmp_path / f"{rank}.json" for rank in range(world)])
    alone = full()
    run("test", alone)
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == alone.results


if __name__ == "__main__":
    callback = full()
    run("test", callback)
    Path(sys.argv[1]).write_text(json.dumps(callback.results))
