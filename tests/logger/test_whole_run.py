"""Whole runs from the command line, and what Weights & Biases has of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys.report.content import Figure, Grid
from recsys.report.run import report_of

pytestmark = pytest.mark.slow
HOME = Path(__file__).parents[2]
SMALL = [
    "data.source.num_users=300",
    "data.source.num_items=300",
    "data.source.num_impressions=20000",
    "trainer.max_epochs=12",
    "trainer.log_every_n_steps=1",
    "loader.batch_size=256",
    "model.dim=16",
    "model.embedding_dim=16",
    "task.evaluation.intervals=5",
    "checkpoint.every_s=1",
    "logger=wandb",
    "logger.wandb.mode=offline",
]


def program(name, *arguments, cwd):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    call = [sys.executable, str(HOME / f"{name}.py"), *arguments]
    return subprocess.Popen(call, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finished(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "Weights & Biases" not in err
    return out


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def resumed(home):
    """Directory of a run that was killed between two checkpoints, and gone on with."""
    run = home / "resumed"
    long = ["~callbacks.early_stopping", "loader.batch_size=32", "trainer.max_epochs=20"]  # enough to be killed in between
    started = program("train", *SMALL, *long, f"hydra.run.dir={run}", cwd=home)
    while not (run / "checkpoints" / "last").exists() or len(list(run.glob("wandb/offline-run-*/*.wandb"))) < 1:
        assert started.poll() is None
        time.sleep(0.05)
    lines = len((run / "metrics.jsonl").read_text().splitlines())
    while len((run / "metrics.jsonl").read_text().splitlines()) < lines + 5:
        assert started.poll() is None
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    finished(program("train", f"resume={run}", cwd=home))
    return run


def rows_of(path):
    """What history should be of a metrics.jsonl."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{"trainer/step": line.pop("step"), **line} for line in lines]


def without_nan(row):
    return {key: None if value != value else value for key, value in row.items()}


def test_history_of_a_killed_and_resumed_run_is_its_metrics_each_once(resumed, history, records):
    assert len(list(resumed.glob("wandb/offline-run-*"))) == 2
    *rows, (last, report) = history(resumed)
    assert [step for step, _ in rows] == list(range(len(rows)))
    assert last == len(rows)
    assert "report/path" in report
    assert [without_nan(row) for _, row in rows] == rows_of(resumed / "metrics.jsonl")
    assert len({told.run_id for told in records(resumed, "run")}) == 1
    assert [ended.exit_code for ended in records(resumed, "exit")] == [1, 0]


def test_every_table_and_drawing_of_the_report_is_there(resumed, history):
    row = history(resumed)[-1][1]
    files = next(folder for folder in resumed.glob("wandb/offline-run-*/files") if (folder / row["report/path"]).exists())
    parts = [part for section in report_of(resumed).sections for part in section.parts]
    assert {"slices", "baselines", "examples", "recall_by_popularity", "embeddings"} <= {part.name for part in parts}
    for part in parts:
        written = (files / row[f"{part.name}/path"]).read_text()
        match part:
            case Grid():
                found = json.loads(written)
                assert found["columns"] == list(part.flat().columns)
                assert found["data"] == [list(row) for row in part.flat().rows]
            case Figure():
                assert written.count("<svg") == 1
    assert (files / row["report/path"]).read_text() == (resumed / "report.html").read_text()


def test_the_machine_is_measured(resumed, records):
    keys = {item.key for stats in records(resumed, "stats") for item in stats.item}
    assert {"memory_percent", "proc.memory.rssMB", "network.sent"} <= keys


def test_an_export_adds_the_bundle_to_the_same_run(resumed, home, records):
    finished(program("export", f"run={resumed}", cwd=home))
    artifacts = records(resumed, "artifact")
    (bundle,) = [found for found in artifacts if found.type == "bundle"]
    made_of = json.loads(bundle.metadata)["checkpoint"]["retrieval"]
    (best,) = [found for found in artifacts if found.type == "model" and "best" in found.aliases]
    assert made_of["artifact"] == f"{best.name}:best"
    assert made_of["sha256"] == json.loads(best.metadata)["checkpoint"]["sha256"]
    assert "manifest.json" in {entry.path for entry in bundle.manifest.contents}


def test_each_trial_is_a_run_of_its_own(home, history, records):
    finished(program("train", "-m", "seed=0,1", *SMALL, "trainer.max_epochs=1", "logger.wandb.group=both", cwd=home))
    runs = sorted(path.parent for path in home.glob("outputs/retrieval/shop/*/*/metrics.json"))
    assert len(runs) == 2
    told = [records(run, "run")[0] for run in runs]
    assert len({one.run_id for one in told}) == 2
    assert [one.run_group for one in told] == ["both", "both"]
    for run in runs:
        assert [without_nan(row) for _, row in history(run)[:-1]] == rows_of(run / "metrics.jsonl")


def test_of_two_processes_one_talks(home, history):
    finished(program("train", *SMALL, "trainer=ddp", "trainer.max_epochs=2", f"hydra.run.dir={home / 'ddp'}", cwd=home))
    assert len(list((home / "ddp").glob("wandb/offline-run-*"))) == 1
    assert [without_nan(row) for _, row in history(home / "ddp")[:-1]] == rows_of(home / "ddp" / "metrics.jsonl")
