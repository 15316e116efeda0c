"""Small fixtures shared by tests: a schema with every feature kind, fitted by hand, and run directories as a run leaves them."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from recsys.schema import Categorical, History, MultiCategorical, Numeric, Schema, Statistics, Timestamp, Vector
from recsys.sweep.sweeper import register
from tests.program_server import gather_operators_once

register()  # as train.py does, so that conf can be composed
HOME = Path(__file__).parent.parent


LONGEST = ("test_train.py", "test_house.py", "test_training_state.py", "test_trial_faults.py", "test_hostile.py", "test_docs.py")
"""Files that take longest, longest first: a process that begins with one of them last would keep the others waiting."""


def pytest_collection_modifyitems(items):
    """Long files first; all else in its order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def operators():
    """Operators of torch.onnx, gathered once for the whole session."""
    gather_operators_once()


@pytest.fixture
def schema() -> Schema:
    """Users 2..4 and items 2..5 are known; every kind of feature occurs once or twice."""
    return Schema(
        user="user_id",
        item="item_id",
        time="time",
        features=(
            Categorical("user_id", "user"),
            Numeric("age", "user"),
            Timestamp("signup", "user"),
            History("history", "user", of="item_id", max_len=3),
            Categorical("item_id", "item"),
            Numeric("price", "item", log=True, quantiles=2),
            MultiCategorical("tags", "item", max_len=2),
            Vector("image", "item"),
        ),
    ).fitted(
        {
            "user_id": Statistics("int64", size=5),
            "age": Statistics("float32", mean=40.0, std=10.0),
            "signup": Statistics("int64"),
            "history": Statistics("string", size=6),
            "item_id": Statistics("string", size=6),
            "price": Statistics("float32", mean=1.0, std=2.0, boundaries=(5.0,)),
            "tags": Statistics("string", size=4),
            "image": Statistics("float32", size=2),
        }
    )


@pytest.fixture
def user_features() -> dict[str, torch.Tensor]:
    """Three users: the last one unknown, without age and without history."""
    return {
        "user_id": torch.tensor([2, 3, 1]),
        "age": torch.tensor([50.0, 30.0, float("nan")]),
        "signup": torch.tensor([0, 3_600 * 30, 86_400 * 4]),
        "history": torch.tensor([[2, 5, 0], [3, 2, 4], [0, 0, 0]]),
    }


@pytest.fixture
def item_features() -> dict[str, torch.Tensor]:
    """Two items: one known with two tags, one unknown without tags."""
    return {
        "item_id": torch.tensor([2, 1]),
        "price": torch.tensor([4.0, 9.0]),
        "tags": torch.tensor([[2, 3], [0, 0]]),
        "image": torch.tensor([[0.5, -0.5], [1.0, 2.0]]),
    }


@pytest.fixture(scope="session")
def described():
    """A config whose data are described as a schema says."""

    def nodes(parts):
        return tuple({"_target_": f"recsys.schema.{type(part).__name__}", **asdict(part)} for part in parts)

    def changed(config, schema):
        names = ("user", "item", "time", "time_unit", "session", "positive")
        same = {name: getattr(schema, name) for name in names}
        return replace(config, data=replace(config.data, **same, features=nodes(schema.features), labels=nodes(schema.labels)))

    return changed


HOSTILE = "<script>alert('x')</script> & \"quoted\""
"""A value that would be markup if it were let."""
RUN_SPLIT = {"rows": 10, "positives": 4, "users": 3, "items": 4}
RUN_DATA = {
    "name": "shop",
    "store": "abc123",
    "inputs": [{"table": "items", "file": HOSTILE, "size": 1234, "sha256": "ab" * 32, "whole": True}],
    "counts": {"rows": 30, "users": 6, "items": 8},
    "split": {"training": RUN_SPLIT, "validation": RUN_SPLIT, "test": {**RUN_SPLIT, "rows_of_new_users": 1, "rows_of_new_items": 0}},
    "dates": ["2025-01-06T01:02:03Z", "2025-03-30T23:51:08Z"],
    "boundaries": {"val": "2025-03-16T23:51:08Z", "test": "2025-03-23T23:51:08Z", "end": "2025-03-30T23:51:08Z"},
    "notes": [f"column {HOSTILE} is in no feature"],
}
RUN_COST = {
    "seconds": {"prepare": 1.0, "fit": 60.0, "evaluate": 5.0, "baselines": 20.0, "test": 10.0, "report": 1.0, "other": 3.0, "total": 100.0},
    "rows": 120_000,
    "rows_per_s": 2_000.0,
    "processes": 1,
    "peak_memory_bytes": 842_100_000,
    "peak_gpu_memory_bytes": None,
    "energy_joules": {"cpu": 7_200.0},
}
RUN_LINEAGE = {"git": {"commit": "ab" * 20, "dirty": False}, "started": "2026-11-23T04:00:00+00:00", "platform": "Linux"}
RUN_LABELS = [
    {"_target_": "recsys.schema.Label", "column": "click"},
    {"_target_": "recsys.schema.Label", "column": "buy", "given": "click"},
]


def _run_config(task, **data):
    return {
        "data": {
            "source": {"_target_": "recsys.source.tables.TableFiles", "root": "raw"},
            "split": {"_target_": "recsys.data.split.Temporal", "val_days": 7, "test_days": 7},
            "labels": RUN_LABELS if task == "ranking" else [],
            **data,
        },
        "task": {"_target_": f"recsys.task.{task}.{task.capitalize()}", "evaluation": {"exclude_known": True}},
        "model": {"_target_": "recsys.model.two_tower.TwoTower", "dim": 64},
        "callbacks": {},
        "trainer": {"accelerator": "cpu"},
        "monitor": "val/recall@20" if task == "retrieval" else "val/log_loss",
        "seed": 0,
    }


def _item(name, **more):
    return {"id": name, "title": HOSTILE, "about": "toys", **more}


def _leave(path, *, config, metrics, logged, examples, data):
    """The files that both tasks have."""
    path.mkdir()
    documents = {"metrics": metrics, "data": data, "examples": examples, "cost": RUN_COST, "lineage": RUN_LINEAGE, "schema": {}}
    for name, document in documents.items():
        (path / f"{name}.json").write_text(json.dumps(document))
    (path / "tested.json").write_text(json.dumps({"sha256": "ef" * 32}))
    (path / "config.yaml").write_text(yaml.safe_dump({"format": 3, **config}, sort_keys=False))
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in logged))
    return path


@pytest.fixture
def retrieval(tmp_path):
    """retrieval("name", recall=[...], ndcg=[...]) is a run whose users got these; other keys change its data.json or config."""

    def retrieval(name, recall=(0.5, 0.0, 1.0, 0.5), ndcg=None, *, changed=None, **data):
        recall = np.asarray(recall, float)
        ndcg = recall / 2 if ndcg is None else np.asarray(ndcg, float)
        ease = np.roll(recall, 1) * 0.8
        metrics = {
            "test/recall@20": recall.mean(),
            "test/recall@20/low": recall.mean() - 0.1,
            "test/recall@20/high": recall.mean() + 0.1,
            "test/ndcg@20": ndcg.mean(),
            "test/coverage@20": 0.5,
            "test/users": len(recall),
            "test/users_left_out": 2,
            "baseline/ease/test/recall@20": ease.mean(),
            "baseline/ease/test/ndcg@20": 0.1,
            "baseline/popularity/test/recall@20": 0.0,
            "oracle/test/recall@20": 0.9,
            "test/popularity=head/recall@20": 0.6,
            "test/popularity=head/ndcg@20": 0.3,
            "test/popularity=head/users": 3,
            f"test/country={HOSTILE}/recall@20": 0.2,
            f"test/country={HOSTILE}/ndcg@20": 0.1,
            f"test/country={HOSTILE}/users": 2,
            "val/recall@20": 0.4,
        }
        logged = [{"step": 10 * step, "train/loss": 5.0 - 0.01 * step} for step in range(1, 101)]
        logged += [{"step": 500, "epoch": 0, "val/recall@20": 0.4}, {"step": 1_000, "epoch": 1, "val/recall@20": 0.3}]
        user = {"user": HOSTILE, "about": {"country": "DE", "interests": ["tents", HOSTILE]}, "history": [_item(1)], "truth": [_item(2)]}
        user |= {"recommended": [_item(2, hit=True), _item(3, hit=False)], "num_history": 7, "num_truth": 1, "measured": {"recall@20": 1.0}}
        examples = {"task": "retrieval", "chosen": "1 of 4 test users, drawn by chance with seed 0", "users": [user]}
        test = {"user": "user_id", "rows": 4, "items": 8, "sha256": "ab" * 32, **(changed or {})}
        path = _leave(
            tmp_path / name,
            config=_run_config("retrieval", **data),
            metrics=metrics,
            logged=logged,
            examples=examples,
            data={**RUN_DATA, "test": test},
        )
        values = {"user_id": np.arange(len(recall)), "test/recall@20": recall, "test/ndcg@20": ndcg, "baseline/ease/test/recall@20": ease}
        values["baseline/popularity/test/recall@20"] = np.zeros(len(recall))
        pl.DataFrame(values).write_parquet(path / "per_user.parquet")
        vectors = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
        kinds = [HOSTILE if row % 3 else "tents" for row in range(30)]
        items = {"item_id": np.arange(30), "title": [HOSTILE] * 30, "training_events": np.arange(30), "vector": vectors, "kind": kinds}
        pl.DataFrame(items).write_parquet(path / "item_vectors.parquet")
        return path

    return retrieval


@pytest.fixture
def ranking(tmp_path):
    """ranking("name", click=[...], buy=[...]) is a run that predicted these of its 400 rows of 40 users; other keys change its config."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    clicked = (rng.random(400) < 1 / (1 + np.exp(-x))).astype(np.float32)
    bought = np.where(clicked == 1, (rng.random(400) < 0.5), np.nan).astype(np.float32)
    known = {"user_id": np.arange(400) // 10, "click": clicked, "buy": bought}

    def ranking(name, click=None, buy=None, **data):
        click = 1 / (1 + np.exp(-x)) if click is None else click
        buy = np.linspace(0.2, 0.8, 400) if buy is None else buy
        metrics = {}
        for label, auc, rows in (("click", 0.72, 400), ("buy", 0.5, 200), ("click_buy", 0.65, 400)):
            metrics |= {f"test/{label}/{key}": value for key, value in {"auc": auc, "auc/low": auc - 0.05, "auc/high": auc + 0.05}.items()}
            metrics |= {f"test/{label}/log_loss": 0.6, f"test/{label}/ece": 0.01, f"test/{label}/predicted_over_actual": 1.0}
            metrics |= {f"test/{label}/rows": rows, f"test/{label}/positives": 100, f"baseline/prior/test/{label}/auc": 0.5}
        metrics |= {f"test/device={HOSTILE}/click/auc": 0.7, f"test/device={HOSTILE}/click/rows": 200, "val/log_loss": 1.2}
        logged = [{"step": 50, "train/loss": 1.0, "train/click/loss": 0.6, "train/buy/loss": 0.4}]
        logged += [{"step": 100, "epoch": 0, "val/log_loss": 1.2, "val/click/auc": 0.7}]
        mistake = {"label": "click", "kind": "missed", "predicted": 0.01, "actual": 1.0, "user": 7, "item": _item(3)}
        mistake["row"] = {"device": HOSTILE, "price": None, "history": [5, None]}
        examples = {"task": "ranking", "chosen": "of every label the worst", "mistakes": [mistake]}
        test = {"user": "user_id", "rows": 400, "items": 8, "sha256": "cd" * 32}
        documents = {"metrics": metrics, "logged": logged, "examples": examples, "data": {**RUN_DATA, "test": test}}
        path = _leave(tmp_path / name, config=_run_config("ranking", **data), **documents)
        frame = pl.DataFrame({**known, "predicted/click": np.asarray(click, float), "predicted/buy": np.asarray(buy, float)})
        frame.with_columns(pl.col("buy").fill_nan(None)).write_parquet(path / "predictions.parquet")
        one = {"rows": 400, "predicted": 0.4, "actual": 0.45, "low": 0.41, "high": 0.5}
        curve = {"rows": 400, "positives": 180, "bins": [one], "smallest": 0.1, "largest": 0.9, "histogram": [400]}
        (path / "reliability.json").write_text(json.dumps({"click": curve}))
        return path

    return ranking


@pytest.fixture(scope="session")
def server():
    """A process that runs command lines without importing everything anew; see program_server.py."""
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    command = [sys.executable, str(Path(__file__).parent / "program_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
        process.terminate()  # a loader's workers that still live hold its standard input open, too


@pytest.fixture(scope="session")
def forked(server, tmp_path_factory):
    """forked("train.py", "seed=1", cwd=folder) is the finished command line; so is forked("-m", "recsys.report", ...)."""
    folder = tmp_path_factory.mktemp("printed")

    def forked(*command, cwd, timeout_s=300, environment=None):
        return _started(server, folder, [(command, environment)], cwd=cwd, timeout_s=timeout_s)[0]

    return forked


@pytest.fixture(scope="session")
def forked_ranks(server, tmp_path_factory):
    """forked_ranks(script, ["0.pt", "1.pt"]) runs a script in two processes that find each other, with an argument each."""
    folder = tmp_path_factory.mktemp("ranks")

    def forked_ranks(script, arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        shared = {**os.environ, "PYTHONPATH": str(HOME), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(len(arguments))}
        shared |= {"OMP_NUM_THREADS": "1", "TORCHELASTIC_RUN_ID": "test", "LOCAL_WORLD_SIZE": str(len(arguments)), "GROUP_RANK": "0"}
        ranks = [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(len(arguments))]
        programs = [((script, str(argument)), environment) for argument, environment in zip(arguments, ranks)]
        finished = _started(server, folder, programs, cwd=folder, timeout_s=300)
        assert [done.returncode for done in finished] == [0] * len(arguments), finished[0].stderr

    return forked_ranks


def _started(server, folder, programs, *, cwd, timeout_s):
    """The finished command lines of programs that run at the same time, each (command, environment)."""
    requests = []
    for number, (command, environment) in enumerate(programs):
        script = command[0] if command[0] == "-m" else str(HOME / command[0])
        printed = {name: str(folder / f"{name}{number}") for name in ("stdout", "stderr")}
        environment = {**os.environ, "PYTHONPATH": str(HOME)} if environment is None else environment
        request = {"command": [script, *command[1:]], "cwd": str(cwd), "environment": environment, "timeout_s": timeout_s, **printed}
        requests.append(request)
    server.stdin.write(json.dumps(requests) + "\n")
    server.stdin.flush()
    codes = json.loads(server.stdout.readline())
    return [
        subprocess.CompletedProcess(request["command"], code, *(Path(request[name]).read_text() for name in ("stdout", "stderr")))
        for request, code in zip(requests, codes)
    ]


class Line(LightningModule):
    """Fits weights to inputs; logs the next of `scores` as val/score at each validation."""

    def __init__(self, scores, losses):
        super().__init__()
        self.model = nn.ModuleDict({"a": nn.Embedding(3, 2), "b": nn.Linear(2, 1)})
        self.model["tied"] = self.model["a"]
        self.scores, self.losses = iter(scores), iter(losses)

    def training_step(self, batch, batch_idx):
        return self.model["b"](self.model["a"](batch)).square().mean() * next(self.losses, 1.0)

    def validation_step(self, batch, batch_idx):
        self.log("val/score", float(next(self.scores)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def fit(tmp_path):
    """fit(callbacks, scores, losses) trains one epoch of two steps per score under tmp_path."""

    def fit(*callbacks, scores=(0.1,), losses=(), steps=2, logger=False, **options):
        generator = torch.Generator().manual_seed(0)
        module = Line(scores, losses)
        nn.init.normal_(module.model["a"].weight, generator=generator)
        trainer = Trainer(
            **{"max_epochs": len(scores)} | options,
            accelerator="cpu",
            callbacks=list(callbacks),
            logger=logger,
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
        )
        batches = DataLoader([torch.tensor([0, 1, 2])] * steps, batch_size=None)
        trainer.fit(module, batches, DataLoader([torch.tensor([0])], batch_size=None))
        return module

    return fit
