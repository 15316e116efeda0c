"""Rows and files that Weights & Biases gets of a run, read back from the file that it writes offline."""

import json
import math

import pytest

from recsys.errors import ResourceError
from recsys.logger import companion
from recsys.logger.wandb import send_run
from recsys.report.content import Figure, Grid, Report, Section

GRID = Grid("slices", "By group", ("group", "recall"), (("new", 0.25), ("all", None), (3, "none")))
FIGURE = Figure("calibration/click", "Calibration", "<svg id='curve'></svg>", "a curve")
REPORT = Report("Retrieval on shop", "ease wins", (("Seed", "3"),), (Section("groups", "Groups", (), (GRID, FIGURE)),))
AXIS = "trainer/step"


@pytest.fixture
def finished(run, monkeypatch):
    """The run, finished."""
    (run / "metrics.json").write_text(json.dumps({"test/recall@20": 0.125, "val/recall@20": 0.5}))
    (run / "report.html").write_text("<h1>the page</h1>")
    monkeypatch.setattr(companion, "report_of", lambda run: REPORT)
    return run


def test_each_line_is_a_row_of_history(run, history):
    send_run(run, "shops")
    rows = history(run)
    assert [step for step, _ in rows] == [0, 1, 2, 3]
    assert rows[0][1] == {AXIS: 0, "epoch": 0, "train/loss": 2.5}
    assert math.isnan(rows[2][1].pop("val/auc"))
    assert rows[2][1] == {AXIS: 1, "epoch": 0, "val/recall@20": 0.1, "val/users": 7.0}
    assert rows[3][1]["train/loss"] == 1e-9


def test_every_metric_has_the_step_of_training_as_its_axis(run, records):
    send_run(run, "shops")
    axis, others = records(run, "metric")
    assert axis.name == AXIS
    assert (others.glob_name, others.step_metric) == ("*", AXIS)


def test_config_and_lineage_are_told_without_secrets(run, records):
    send_run(run, "shops")
    (told,) = records(run, "run")
    config = {item.key: json.loads(item.value_json) for item in told.config.update}
    assert (config["seed"], config["model"]) == (3, {"dim": 16})
    assert config["data"] == {"root": "s3://<hidden>@host/shop", "password": "<hidden>"}
    assert config["lineage"]["git"]["commit"] == "ab" * 20
    assert (told.project, told.run_id) == ("shops", json.loads((run / "wandb.json").read_text())["id"])
    written = [path.read_bytes() for path in (run / "wandb").rglob("*") if path.is_file()]
    assert not [content for content in written if b"hush" in content]


def test_what_a_resumed_run_repeats_is_told_once(run, history):
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:3]))
    send_run(run, "shops")  # killed after the third line, its checkpoint is after the first
    (run / "metrics.jsonl").write_text("".join(lines))
    send_run(run, None)
    assert len(list(run.glob("wandb/offline-run-*"))) == 2
    assert [(step, row.get("train/loss")) for step, row in history(run)] == [(0, 2.5), (1, 2.0), (2, None), (3, 1e-9)]


def test_lines_that_an_allowed_change_made_differ_are_added(run, history):
    send_run(run, "shops")
    (run / "metrics.jsonl").write_text(json.dumps({"step": 0, "epoch": 0, "train/loss": 2.25}) + "\n")
    send_run(run, None)
    assert history(run)[4] == (4, {AXIS: 0, "epoch": 0, "train/loss": 2.25})


def test_final_metrics_are_the_summary(finished, records):
    send_run(finished, "shops")
    summary = {
        item.key or "/".join(item.nested_key): json.loads(item.value_json) for r in records(finished, "summary") for item in r.update
    }
    assert summary["test/recall@20"] == 0.125
    assert summary["val/recall@20"] == 0.5  # of the tested weights; the last validation had another
    assert summary["verdict"] == "ease wins"


def test_tables_drawings_and_the_page_are_told_under_their_names(finished, history, records):
    send_run(finished, "shops")
    files = next(finished.glob("wandb/offline-run-*/files"))
    step, row = history(finished)[-1]
    table = json.loads((files / row["slices/path"]).read_text())
    assert step == 4
    assert table["columns"] == ["group", "recall"]
    assert table["data"] == [["new", 0.25], ["all", None], [3, "none"]]
    assert "<svg id='curve'></svg>" in (files / row["calibration/click/path"]).read_text()
    assert (files / row["report/path"]).read_text() == "<h1>the page</h1>"
    named = {file.path for record in records(finished, "files") for file in record.files}
    assert {row["slices/path"], row["calibration/click/path"], row["report/path"]} <= named


def models(records, run):
    return {tuple(sorted(set(found.aliases) - {"latest"})): found for found in records(run, "artifact") if found.type == "model"}


def test_best_and_last_checkpoint_are_artifacts_with_their_origin(finished, records):
    send_run(finished, "shops")
    found = models(records, finished)
    assert found.keys() == {("best",), ("last",)}
    contents = {entry.path: entry.local_path for entry in found["best",].manifest.contents}
    assert contents["model.safetensors"] == str((finished / "checkpoints" / "best").resolve() / "model.safetensors")
    metadata = json.loads(found["best",].metadata)
    assert metadata["checkpoint"]["sha256"] == "11" * 32
    assert metadata["data"] == {
        "name": "shop",
        "store": "0a1b",
        "inputs": [{"table": "items", "file": "items.parquet", "size": 1234, "sha256": "cd" * 32, "whole": True}],
    }
    assert metadata["lineage"]["command"] == "python train.py data.password=<hidden> seed=3"


def test_a_checkpoint_that_is_best_and_last_is_one_artifact(finished, records):
    (finished / "checkpoints" / "last").unlink()
    (finished / "checkpoints" / "last").symlink_to("step-1")
    send_run(finished, "shops")
    assert models(records, finished).keys() == {("best", "last")}


def test_the_bundle_is_an_artifact_that_names_its_checkpoint(finished, records):
    send_run(finished, "shops")
    (finished / "bundle").mkdir()
    (finished / "bundle" / "retriever.onnx").write_bytes(b"graph")
    made_of = {"retrieval": {"run": str(finished), "step": 1, "sha256": "11" * 32}}
    (finished / "bundle" / "manifest.json").write_text(json.dumps({"checkpoint": made_of, "lineage": {"runs": 1}}))
    companion.bundle(finished, "offline", 60)
    companion.signal.alarm(0)
    own = json.loads((finished / "wandb.json").read_text())["id"]
    (bundle,) = [found for found in records(finished, "artifact") if found.type == "bundle"]
    assert bundle.name == f"bundle-{own}"
    assert {entry.path for entry in bundle.manifest.contents} == {"manifest.json", "retriever.onnx"}
    assert json.loads(bundle.metadata)["checkpoint"]["retrieval"]["artifact"] == f"model-{own}:best"
    assert {told.run_id for told in records(finished, "run")} == {own}


def test_an_unfinished_run_has_no_artifacts_and_ends_as_failed(run, records):
    send_run(run, "shops")
    assert models(records, run) == {}
    assert [ended.exit_code for ended in records(run, "exit")] == [1]


def test_a_report_that_cannot_be_drawn_takes_nothing_else_with_it(finished, monkeypatch, records, history):
    monkeypatch.setattr(companion, "report_of", lambda run: 1 / 0)
    with pytest.raises(ResourceError, match="division by zero"):
        send_run(finished, "shops")
    assert len(history(finished)) == 4
    assert models(records, finished).keys() == {("best",), ("last",)}
    assert [ended.exit_code for ended in records(finished, "exit")] == [0]


def test_a_disk_that_takes_nothing_is_said(run):
    (run / "wandb" / ".space").mkdir(parents=True)  # in the place of what is written there last
    with pytest.raises(ResourceError, match=r"does not take it: \w+Error, .*/wandb/\.space"):
        send_run(run, "shops")
