"""The control that must fail: a world with a pattern is learned, the same world with shuffled items is not."""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from pytorch_lightning import Trainer, seed_everything

from recsys.candidates.full import Full
from recsys.data.read.datamodule import DataModule
from recsys.data.split import Temporal
from recsys.data.store.prepare import prepare
from recsys.loss.softmax import SampledSoftmax
from recsys.model.two_tower import TwoTower
from recsys.optimizer.schedule import constant
from recsys.schema import Categorical, History, Schema
from recsys.source.base import Source, Tables
from recsys.task.retrieval.evaluation import CatalogueEvaluation
from recsys.task.retrieval.module import RetrievalModule
from recsys.tower.mlp import MLPTower

USERS, ITEMS, GROUPS, ROWS_EACH, K = 400, 80, 4, 16, 10
SCHEMA = Schema(
    "user",
    "item",
    "time",
    features=(Categorical("user", "user"), History("history", "user", of="item", max_len=8), Categorical("item", "item")),
)


class Clubs(Source):
    """Users and items of four groups; a user only ever chooses items of the own group, in random order over 16 days.

    Args:
        root: where the file is written.
        shuffled: items are dealt out anew to all rows, so that nothing but popularity is left to learn, and all are equally popular.
    """

    def __init__(self, root: Path, shuffled: bool):
        self.root = root
        self.shuffled = shuffled

    def tables(self) -> Tables:
        random = np.random.default_rng(0)
        own = ITEMS // GROUPS
        items = np.stack([random.permutation(own)[:ROWS_EACH] * GROUPS + user % GROUPS for user in range(USERS)]).ravel()
        if self.shuffled:
            items = random.permutation(items)
        days = np.tile(np.arange(ROWS_EACH), USERS).astype("timedelta64[D]") + np.datetime64("2024-01-01", "us")
        path = self.root / "rows.parquet"
        pl.DataFrame({"user": np.repeat(np.arange(USERS), ROWS_EACH), "item": items, "time": days}).write_parquet(path)
        return Tables(pl.scan_parquet(path), files={"interactions": (path,)})


def recall(folder: Path, *, shuffled: bool) -> dict[str, float]:
    folder.mkdir()
    seed_everything(0, verbose=False)
    store = prepare(
        Clubs(folder, shuffled),
        SCHEMA,
        Temporal(val_days=2, test_days=4),
        folder=folder,
        bad_rows="fail",
        max_unknown_share=1.0,
        max_feature_auc=1.0,
    )
    data = DataModule(store, batch_size=256, eval_batch_size=512, num_workers=0, seed=0)
    tower = partial(MLPTower, [32], 0.0)
    task = RetrievalModule(
        TwoTower(
            tower,
            tower,
            dim=16,
            embedding_dim=16,
            normalize=True,
            share_item_table=True,
            id_dropout=0.0,
            sparse_from=10**9,
            schema=store.schema,
        ),
        SampledSoftmax(0.1, False, min_temperature=0.01, max_temperature=1.0, positive_is_sampled=False),
        candidates=Full(data.catalogue.count, 0),
        optimizer=lambda module: torch.optim.Adam(module.parameters(), lr=3e-3),
        scheduler=partial(constant, 0),
        catalogue=data.catalogue,
    )
    evaluation = CatalogueEvaluation([K], [K], exclude_known=True, intervals=200, min_slice_users=20, item_chunk=4096, baselines={})
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=15,
        callbacks=[evaluation],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    return evaluation.results


def test_a_pattern_is_learned(tmp_path):
    found = recall(tmp_path / "real", shuffled=False)
    # 12 of the own group's 20 items are known at test, so all 8 left fit into a list of 10
    assert found[f"test/recall@{K}"] > 0.95


def test_shuffled_items_land_at_chance(tmp_path):
    found = recall(tmp_path / "shuffled", shuffled=True)
    # 12 choices out of 80 with replacement make 80 * (1 - (79 / 80)**12) = 11.2 distinct known items; 10 of the other 68.8 are shown
    chance = K / (ITEMS * (79 / 80) ** 12)
    # four items to find for each of 400 users: standard error sqrt(0.145 * 0.855 / 1600) = 0.009, and five of them
    assert found[f"test/recall@{K}"] == pytest.approx(chance, abs=0.045)
    assert found[f"test/recall@{K}/low"] - 0.02 < chance < found[f"test/recall@{K}/high"] + 0.02
