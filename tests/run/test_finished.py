"""What a finished run gives back."""

import json

import pytest
import torch

from benchmarks.base import composed
from recsys.config import build, save_config
from recsys.disk.folders import point
from recsys.errors import ConfigError, IntegrityError
from recsys.run.checkpoint import load_checkpoint, write_checkpoint
from recsys.run.directory import write_tested
from recsys.run.finished import FinishedRun
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
    """Of a ranking run, without weights."""
    save_config(composed("task=ranking", *DATA), tmp_path / "config.yaml")
    SCHEMA.save(tmp_path / "schema.json")
    (tmp_path / "lineage.json").write_text(json.dumps({"store": str(tmp_path / "store")}))
    (tmp_path / "metrics.json").write_text(json.dumps({"test/click/auc": 0.75}))
    write_tested(tmp_path, TESTED["sha256"])
    return tmp_path


def test_a_run_knows_its_task_and_schema(folder):
    run = FinishedRun.open(folder)
    assert run.task == "ranking"
    assert run.schema == SCHEMA


def test_calibrations_are_those_that_the_run_has_written(folder):
    (folder / "calibration.json").write_text(json.dumps({"click": {"slope": 2.0, "intercept": -1.0}}))
    (calibration,) = FinishedRun.open(folder).calibrations(TESTED).values()
    assert calibration(torch.tensor([0.5])).item() == 0.5  # sigmoid(2 * 0.5 - 1)


def test_a_run_without_calibrations_is_refused(folder):
    with pytest.raises(ConfigError, match=r"the run has no calibration\.json"):
        FinishedRun.open(folder).calibrations(TESTED)


def test_calibrations_are_of_the_tested_weights_alone(folder):
    (folder / "calibration.json").write_text(json.dumps({"click": {"slope": 2.0, "intercept": -1.0}}))
    with pytest.raises(
        ConfigError, match=r"\(step 4\) have no calibrations: those of the run were fitted to its best weights(.|\n)*checkpoint=best"
    ):
        FinishedRun.open(folder).calibrations(OTHER)


def test_a_run_that_was_stopped_is_refused(folder):
    (folder / "lineage.json").unlink()
    (folder / "tested.json").unlink()
    (folder / "metrics.json").unlink()
    with pytest.raises(ConfigError, match=r"the run did not finish: it has no lineage\.json, tested\.json, metrics\.json"):
        FinishedRun.open(folder)


def test_metrics_are_final_for_the_tested_weights_alone(folder):
    run = FinishedRun.open(folder)
    assert run.metrics(TESTED) == {"test/click/auc": 0.75}
    assert run.metrics(OTHER) == {"val/click/auc": 0.6}


def test_reliability_is_that_of_the_tested_weights_alone(folder):
    run = FinishedRun.open(folder)
    assert run.reliability(TESTED) == {}
    (folder / "reliability.json").write_text(json.dumps({"click": {"rows": 3}}))
    assert run.reliability(TESTED) == {"click": {"rows": 3}}
    assert run.reliability(OTHER) == {}


@pytest.fixture
def trained(folder):
    """Two steps of a run, with other weights each; the first was the best and was tested."""
    run = FinishedRun.open(folder)
    for step, name in ((1, "best"), (2, "last")):
        model = build(run.config.task).model(run.config, run.schema)
        torch.nn.init.constant_(next(model.parameters()), step)
        point(
            folder / "checkpoints" / name, write_checkpoint(model.state_dict(), folder / "checkpoints", about={"step": step, "metrics": {}})
        )
    write_tested(folder, json.loads((folder / "checkpoints" / "best" / "checkpoint.json").read_text())["sha256"])
    return FinishedRun.open(folder)


def test_either_checkpoint_is_given_back_by_name(trained):
    assert [trained.model(name)[1]["step"] for name in ("best", "last")] == [1, 2]


def test_best_weights_that_were_not_tested_are_refused(trained):
    checkpoints = trained.path / "checkpoints"
    tested = load_checkpoint(trained.model()[0], checkpoints / "best")["sha256"]
    point(checkpoints / "best", (checkpoints / "last").resolve())
    with pytest.raises(IntegrityError, match=rf"not those that were tested(.|\n)*checkpoints/best(.|\n)*step-\*-{tested[:8]} again"):
        trained.model("best")
