"""What a finished run gives back."""

import json

import pytest
import torch

from benchmarks.base import composed
from recsys.config import save_config
from recsys.errors import ConfigError
from recsys.rebuild import FinishedRun
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


@pytest.fixture
def folder(tmp_path):
    """Of a ranking run, without weights."""
    save_config(composed("task=ranking", *DATA), tmp_path / "config.yaml")
    SCHEMA.save(tmp_path / "schema.json")
    (tmp_path / "lineage.json").write_text(json.dumps({"store": str(tmp_path / "store")}))
    (tmp_path / "metrics.json").write_text(json.dumps({"test/click/auc": 0.75}))
    return tmp_path


def test_a_run_knows_its_task_and_schema(folder):
    run = FinishedRun.open(folder)
    assert run.ranks
    assert run.schema == SCHEMA


def test_calibrations_are_those_that_the_run_has_written(folder):
    (folder / "calibration.json").write_text(json.dumps({"click": {"slope": 2.0, "intercept": -1.0}}))
    (calibration,) = FinishedRun.open(folder).calibrations().values()
    assert calibration(torch.tensor([0.5])).item() == 0.5  # sigmoid(2 * 0.5 - 1)


def test_a_run_without_calibrations_is_refused(folder):
    with pytest.raises(ConfigError, match=r"the run has no calibration\.json"):
        FinishedRun.open(folder).calibrations()


def test_a_run_that_was_stopped_is_refused(folder):
    (folder / "lineage.json").unlink()
    (folder / "metrics.json").unlink()
    with pytest.raises(ConfigError, match=r"the run did not finish: it has no lineage\.json, metrics\.json"):
        FinishedRun.open(folder)


def test_metrics_are_final_for_the_best_weights_alone(folder):
    (folder / "checkpoints" / "best").mkdir(parents=True)
    best = {"step": 2, "metrics": {"val/click/auc": 0.7}, "sha256": "0" * 64}
    (folder / "checkpoints" / "best" / "checkpoint.json").write_text(json.dumps(best))
    run = FinishedRun.open(folder)
    assert run.metrics(best) == {"test/click/auc": 0.75}
    assert run.metrics({"step": 4, "metrics": {"val/click/auc": 0.6}}) == {"val/click/auc": 0.6}


def test_reliability_is_that_of_the_tested_weights_alone(folder):
    (folder / "checkpoints" / "best").mkdir(parents=True)
    best = {"step": 2, "metrics": {}, "sha256": "0" * 64}
    (folder / "checkpoints" / "best" / "checkpoint.json").write_text(json.dumps(best))
    run = FinishedRun.open(folder)
    assert run.reliability(best) == {}
    (folder / "reliability.json").write_text(json.dumps({"click": {"rows": 3}}))
    assert run.reliability(best) == {"click": {"rows": 3}}
    assert run.reliability({**best, "step": 4}) == {}
