"""Run directories that Weights & Biases is told of, and what it wrote to disk, read back without the code under test."""

import json

import pytest
import yaml
from wandb.proto.wandb_internal_pb2 import Record

from tests.conftest import RUN_DATA

LINES = [
    {"step": 0, "epoch": 0, "train/loss": 2.5},
    {"step": 1, "epoch": 0, "train/loss": 2.0},
    {"step": 1, "epoch": 0, "val/recall@20": 0.1, "val/users": 7.0, "val/auc": None},
    {"step": 2, "epoch": 1, "train/loss": 1e-9},
]
"""Lines of metrics.jsonl."""
CONFIG = {"seed": 3, "data": {"root": "s3://me:hush@host/shop", "password": "hush"}, "model": {"dim": 16}}
LINEAGE = {"git": {"commit": "ab" * 20, "dirty": False}, "command": "python train.py data.password=hush seed=3"}
DATA = {
    **RUN_DATA,
    "store": "0a1b",
    "inputs": [{"table": "items", "file": "items.parquet", "size": 1234, "sha256": "cd" * 32, "whole": True}],
    "notes": ["long"],
    "test": {"user": "user_id", "rows": 10, "items": 8, "sha256": "ef" * 32},
}


def read(path):
    """Every record of a .wandb file: blocks of 32 KiB after a header of 7 bytes; a frame is crc (4), length (2), type (1), content."""
    data, at, content = path.read_bytes(), 7, b""
    while at < len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        content += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(content)
            content = b""


@pytest.fixture
def records():
    """records(run, "history"): the records of one kind in all files below a run directory, oldest file first."""

    def records(run, kind):
        files = sorted(run.glob("wandb/*run-*/*.wandb"))
        return [getattr(record, kind) for path in files for record in read(path) if record.WhichOneof("record_type") == kind]

    return records


@pytest.fixture
def history(records):
    """history(run): [(W&B's step, {key: value})] of its files, without W&B's own values."""

    def history(run):
        rows = []
        for row in records(run, "history"):
            values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item}
            rows.append((row.step.num, {key: value for key, value in values.items() if not key.startswith("_")}))
        return rows

    return history


def leave_checkpoint(run, name, sha256, *aliases):
    folder = run / "checkpoints" / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights of " + name.encode())
    (folder / "checkpoint.json").write_text(json.dumps({"step": 2, "epoch": 1, "sha256": sha256}))
    for alias in aliases:
        (run / "checkpoints" / alias).symlink_to(name)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run directory in mid-run; Weights & Biases is offline."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "hush" * 12)
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump({"format": 3, **CONFIG}))
    (run / "lineage.json").write_text(json.dumps(LINEAGE))
    (run / "data.json").write_text(json.dumps(DATA))
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    leave_checkpoint(run, "step-1", "11" * 32, "best")
    leave_checkpoint(run, "step-2", "22" * 32, "last")
    return run
