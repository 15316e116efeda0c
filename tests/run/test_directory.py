"""What a run directory holds, and what is said where it does not."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks.base import composed
from recsys.config import build, save_config
from recsys.disk.folders import point
from recsys.errors import ConfigError, IntegrityError
from recsys.report.run import report_of, reported_run
from recsys.run.checkpoint import load_checkpoint, write_checkpoint
from recsys.run.directory import RunDirectory, write_tested
from recsys.schema import Categorical, Label, Schema, Statistics

SCHEMA = Schema("user", "item", features=(Categorical("item", "item"),), labels=(Label("click"),)).fitted({"item": Statistics("int64", 5)})
DATA = (
    "data=tables",
    "data.name=x",
    "data.root=folder",
    "data.source.interactions=x.parquet",
    "data.user=user",
    "data.item=item",
    "data.time=null",
    "data.features=[{_target_:recsys.schema.Categorical,column:item,entity:item}]",
    "data.labels=[{_target_:recsys.schema.Label,column:click}]",
)
TESTED = {"step": 2, "metrics": {"val/click/auc": 0.7}, "sha256": "0" * 64}
OTHER = {"step": 4, "metrics": {"val/click/auc": 0.6}, "sha256": "1" * 64}
"""What checkpoints say of the weights that were tested, and of others."""


@pytest.fixture
def folder(tmp_path):
    """A ranking run without weights."""
    save_config(composed("task=ranking", *DATA), tmp_path / "config.yaml")
    SCHEMA.save(tmp_path / "schema.json")
    (tmp_path / "lineage.json").write_text(json.dumps({"store": str(tmp_path / "store")}))
    (tmp_path / "metrics.json").write_text(json.dumps({"test/click/auc": 0.75}))
    write_tested(tmp_path, TESTED["sha256"])
    return tmp_path


def test_a_run_knows_its_task_and_schema(folder):
    run = RunDirectory.finished(folder)
    assert run.task == "ranking"
    assert run.schema == SCHEMA


def test_a_run_that_was_stopped_is_refused(folder):
    (folder / "lineage.json").unlink()
    (folder / "tested.json").unlink()
    (folder / "metrics.json").unlink()
    with pytest.raises(ConfigError, match=r"the run did not finish: it has no lineage\.json, tested\.json, metrics\.json"):
        RunDirectory.finished(folder)


def test_metrics_are_final_for_the_tested_weights_alone(folder):
    run = RunDirectory.finished(folder)
    assert run.metrics_of(TESTED) == {"test/click/auc": 0.75}
    assert run.metrics_of(OTHER) == {"val/click/auc": 0.6}


def test_reliability_is_read_where_a_run_has_it(folder):
    run = RunDirectory.finished(folder)
    assert run.reliability == {}
    (folder / "reliability.json").write_text(json.dumps({"click": {"rows": 3}}))
    assert RunDirectory.finished(folder).reliability == {"click": {"rows": 3}}
    assert (run.is_tested(TESTED), run.is_tested(OTHER)) == (True, False)


@pytest.fixture
def trained(folder):
    """Two steps of a run, with other weights each; the first was the best and was tested."""
    run = RunDirectory.finished(folder)
    for step, name in ((1, "best"), (2, "last")):
        model = build(run.config.task).model(run.config, run.schema)
        torch.nn.init.constant_(next(model.parameters()), step)
        point(
            folder / "checkpoints" / name, write_checkpoint(model.state_dict(), folder / "checkpoints", about={"step": step, "metrics": {}})
        )
    write_tested(folder, json.loads((folder / "checkpoints" / "best" / "checkpoint.json").read_text())["sha256"])
    return RunDirectory.finished(folder)


def test_either_checkpoint_is_given_back_by_name(trained):
    assert [trained.model(name)[1]["step"] for name in ("best", "last")] == [1, 2]


def test_best_weights_that_were_not_tested_are_refused(trained):
    checkpoints = trained.path / "checkpoints"
    tested = load_checkpoint(trained.model()[0], checkpoints / "best")["sha256"]
    point(checkpoints / "best", (checkpoints / "last").resolve())
    with pytest.raises(IntegrityError, match=rf"not those that were tested(.|\n)*checkpoints/best(.|\n)*step-\*-{tested[:8]} again"):
        trained.model("best")


def test_task_and_model_of_a_run_are_those_of_its_config(retrieval, ranking):
    assert (RunDirectory.open(retrieval("a")).task, RunDirectory.open(ranking("b")).task) == ("retrieval", "ranking")
    run = RunDirectory.open(retrieval("c"))
    assert (run.model_name, run.metrics["test/recall@20"], run.data["name"]) == ("two_tower", 0.5, "shop")
    assert len(run.logged) == 102


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no config\.yaml"):
        RunDirectory.open(tmp_path)


def test_a_run_that_did_not_finish_is_refused(retrieval):
    run = retrieval("a")
    (run / "metrics.json").unlink()
    with pytest.raises(ConfigError, match=r"did not finish: it has no metrics\.json"):
        RunDirectory.finished(run)


@pytest.mark.parametrize(("task", "name"), [("retrieval", "per_user.parquet"), ("ranking", "predictions.parquet")])
def test_a_run_of_an_older_version_is_one_error_that_names_every_missing_file(request, task, name):
    run = request.getfixturevalue(task)("a")
    for missing in ("cost.json", "examples.json", name):
        (run / missing).unlink()
    with pytest.raises(
        ConfigError, match=rf"1 problem:\n.*older version.*it has no examples\.json, cost\.json, {name}\n(.|\n)*train again"
    ):
        reported_run(run)


@pytest.mark.parametrize("name", ["metrics.json", "data.json", "metrics.jsonl", "per_user.parquet"])
def test_a_damaged_file_is_named(retrieval, name):
    run = retrieval("a")
    (run / name).write_bytes(b"\x00[broken")
    with pytest.raises(IntegrityError, match=name):
        everything(run)


@pytest.mark.parametrize(
    ("name", "change", "place"),
    [
        ("data.json", lambda document: document.pop("counts"), r"data\.counts"),
        ("data.json", lambda document: document.update(split=None), r"data\.split"),
        ("data.json", lambda document: document["inputs"].append({}), r"data\.inputs"),
        ("data.json", lambda document: document.update(boundaries={"val": "x", "test": "x", "end": -1}), r"data\.boundaries\.end"),
        ("cost.json", lambda document: document.pop("peak_gpu_memory_bytes"), r"cost\.peak_gpu_memory_bytes"),
        ("cost.json", lambda document: document["seconds"].update(fit=None), r"cost\.seconds\.fit"),
        ("cost.json", lambda document: document.update(rows_per_s="x"), r"cost\.rows_per_s"),
        ("examples.json", lambda document: document.pop("users"), "users"),
        ("examples.json", lambda document: document["users"].append({}), "about|history"),
    ],
)
def test_a_document_of_another_shape_is_named_with_the_place(retrieval, name, change, place):
    run = retrieval("a")
    document = json.loads((run / name).read_text())
    change(document)
    (run / name).write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match=place) as refused:
        report_of(run)
    assert refused.value.faults[0].where == str(run / name)


def everything(path):
    run = RunDirectory.open(path)
    return run.metrics, run.data, run.logged, run.table("per_user.parquet")


def test_a_damaged_config_is_named(retrieval):
    run = retrieval("a")
    (run / "config.yaml").write_bytes(b"\x00[broken")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        RunDirectory.open(run)


def test_a_run_of_before_is_refused_in_one_sentence_by_reports_and_exports(retrieval):
    run = retrieval("a")
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("format: 3\n", "balance: {}\n"))
    for read in (RunDirectory.open, RunDirectory.finished, reported_run):
        with pytest.raises(ConfigError, match=r"1 problem:(.|\n)*no format(.|\n)*train again with this version") as refused:
            read(run)
        assert len(refused.value.faults) == 1


def test_names_and_small_files_are_read_without_torch():
    code = "import sys, recsys.run.directory; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
