"""Sweeps of the real programs, on a shop of 300 users."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

pytestmark = pytest.mark.slow
HOME = Path(__file__).parents[2]
SMALL = [
    "data.source.num_users=300",
    "data.source.num_items=300",
    "data.source.num_impressions=20000",
    "loader.batch_size=256",
    "model.dim=16",
    "model.embedding_dim=16",
    "task.evaluation.intervals=0",
    "hydra.sweep.dir=swept",
]


def sweep(folder, *arguments):
    command = [sys.executable, str(HOME / "train.py"), "-m", "sweep=retrieval", *SMALL, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return pl.read_parquet(folder / "swept" / "trials.parquet").sort("number")


def test_recall_is_held_against_the_size_of_the_bundle(tmp_path):
    space = "hydra.sweeper.space={model.embedding_dim: [4, 64]}"
    fixed = ["optimizer.dense.lr=1e-3", "optimizer.tables.lr=1e-3", "loss.temperature=0.1", "model.id_dropout=0.1", "trainer.max_epochs=1"]
    grid = ["hydra.sweeper.sampler=grid", "hydra.sweeper.trials=null", "hydra.sweeper.pruner=null"]
    wandb = ["logger=wandb", "logger.wandb.mode=offline", "logger.wandb.group=sizes"]
    small = [text for text in SMALL if "embedding_dim" not in text]
    command = [sys.executable, str(HOME / "train.py"), "-m", "sweep=retrieval", *small, *fixed, *grid, *wandb, space]
    command += ["hydra.sweeper.objectives={bundle/size_mb: min}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    table = pl.read_parquet(tmp_path / "swept" / "trials.parquet").sort("bundle/size_mb")
    assert table["model.embedding_dim"].to_list() == ["4", "64"]
    for run, recall, size_mb in table.select("run", "val/recall@20", "bundle/size_mb").iter_rows():
        run = tmp_path / "swept" / run
        assert json.loads((run / "metrics.json").read_text())["val/recall@20"] == recall
        files = json.loads((run / "bundle" / "manifest.json").read_text())["files"]
        assert size_mb == pytest.approx(sum((run / "bundle" / name).stat().st_size for name in files) / 1e6)
        logger = yaml.safe_load((run / "config.yaml").read_text())["logger"]["wandb"]
        assert (logger["group"], logger["name"]) == ("sizes", f"sizes-{run.name.removeprefix('trial-')}")
        told = [path.name for path in run.glob("wandb/offline-run-*/*.wandb")]
        assert (len(told), len(set(told))) == (2, 1)  # by training and by the export, of one run


def test_pruned_trial_is_not_tested(tmp_path):
    space = "hydra.sweeper.space={trainer.gradient_clip_val: [1.0, 2.0, 3.0, 4.0, 1e-12]}"  # with the last nothing is learned
    fixed = ["optimizer.dense.lr=1e-2", "optimizer.tables.lr=1e-2", "loss.temperature=0.1", "model.id_dropout=0.1", "trainer.max_epochs=3"]
    grid = ["hydra.sweeper.sampler=grid", "hydra.sweeper.trials=null", "hydra.sweeper.seed=7"]  # which has it at the end
    table = sweep(tmp_path, *fixed, space, *grid)
    assert table["trainer.gradient_clip_val"][4] == "1e-12"
    assert table["state"].to_list() == ["finished"] * 4 + ["pruned"]
    assert table["evaluations"].to_list() == [3] * 4 + [2]
    for row in table.iter_rows(named=True):
        assert (tmp_path / "swept" / row["run"] / "metrics.json").exists() is (row["state"] == "finished")
    said = (tmp_path / "swept" / table["run"][4] / "train.log").read_text()
    assert "pruned at step" in said


def test_trials_may_be_distributed(tmp_path):
    table = sweep(tmp_path, "trainer=ddp", "trainer.devices=2", "trainer.max_epochs=1", "hydra.sweeper.trials=1")
    assert table["state"].to_list() == ["finished"]
    assert table["evaluations"].to_list() == [1]  # reported once, not by each process
