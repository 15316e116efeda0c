"""Calibrations that a finished run has written."""

import json

import pytest
import torch

from benchmarks.base import composed
from recsys.config import save_config
from recsys.errors import ConfigError, IntegrityError
from recsys.run.directory import RunDirectory, write_tested
from recsys.schema import Categorical, Label, Schema, Statistics
from recsys.task.ranking.teacher import saved_calibrations

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


def test_calibrations_are_those_that_the_run_has_written(folder):
    (folder / "calibration.json").write_text(json.dumps({"click": {"slope": 2.0, "intercept": -1.0}}))
    (calibration,) = saved_calibrations(RunDirectory.finished(folder), TESTED).values()
    assert calibration(torch.tensor([0.5])).item() == 0.5  # sigmoid(2 * 0.5 - 1)


def test_a_run_without_calibrations_is_refused(folder):
    with pytest.raises(ConfigError, match=r"the run has no calibration\.json"):
        saved_calibrations(RunDirectory.finished(folder), TESTED)


def test_calibrations_are_of_the_tested_weights_alone(folder):
    (folder / "calibration.json").write_text(json.dumps({"click": {"slope": 2.0, "intercept": -1.0}}))
    with pytest.raises(
        ConfigError, match=r"\(step 4\) have no calibrations: those of the run were fitted to its best weights(.|\n)*checkpoint=best"
    ):
        saved_calibrations(RunDirectory.finished(folder), OTHER)


def test_calibration_of_an_unknown_label_is_refused(folder):
    (folder / "calibration.json").write_text(json.dumps({"buy": {"slope": 2.0, "intercept": -1.0}}))
    with pytest.raises(IntegrityError, match="it has buy, the run's binary labels are click"):
        saved_calibrations(RunDirectory.finished(folder), TESTED)
