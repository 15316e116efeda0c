"""What a manifest says of its runs, on nine interactions that can be counted by hand."""

import hashlib
import json
from datetime import datetime

import polars as pl
import pytest

from benchmarks.base import composed
from recsys.config import save_config
from recsys.data.split import Temporal
from recsys.data.store.prepare import prepare
from recsys.export.program import lineage
from recsys.run.directory import RunDirectory, write_tested
from recsys.schema import Categorical, Label, Schema
from recsys.source.tables import TableFiles

# user, item, day of January 2024, click; validation starts on the 8th, test on the 11th; users 3 and 4 and item 9 are new there
ROWS = [(1, 5, 1, 1), (1, 6, 2, 0), (2, 5, 3, 1), (2, 6, 7, 1), (1, 5, 8, 0), (3, 6, 9, 1), (1, 9, 11, 1), (4, 9, 12, 0), (2, 5, 13, 1)]
SCHEMA = Schema("user", "item", time="time", features=(Categorical("item", "item"),), labels=(Label("click"),), positive="click")


@pytest.fixture
def run(tmp_path, described):
    """A ranking run on these rows."""
    raw = tmp_path / "raw" / "clicks.parquet"
    raw.parent.mkdir()
    table = pl.DataFrame(ROWS, schema=["user", "item", "day", "click"], orient="row")
    times = pl.Series("time", [datetime(2024, 1, day, 6) for day in table["day"]], dtype=pl.Datetime("us"))
    table.drop("day").with_columns(times).write_parquet(raw)
    split = Temporal(val_start="2024-01-08", test_start="2024-01-11")
    settings = {"bad_rows": "fail", "max_unknown_share": 1.0, "max_feature_auc": 1.0}
    store = prepare(TableFiles(raw.parent, raw.name), SCHEMA, split, folder=tmp_path / "store", **settings)
    folder = tmp_path / "run"
    folder.mkdir()
    save_config(described(composed("task=ranking", "seed=7", "model.dropout=0.25"), SCHEMA), folder / "config.yaml")
    store.schema.save(folder / "schema.json")
    recorded = {"store": str(store.path), "git": {"commit": "ab" * 20, "dirty": True}, "started": "2026-11-23T04:00:00+00:00"}
    (folder / "lineage.json").write_text(json.dumps(recorded))
    write_tested(folder, "0" * 64)
    (folder / "metrics.json").write_text("{}")
    return RunDirectory.finished(folder)


def test_data_is_named_by_hashes_without_folders(run, tmp_path):
    data = lineage([run])["data"]["ranking"]
    content = (tmp_path / "raw" / "clicks.parquet").read_bytes()
    assert data["inputs"] == [
        {
            "table": "interactions",
            "file": "clicks.parquet",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "whole": True,
        }
    ]
    assert data["store"] == run.store.path.name
    assert str(tmp_path) not in json.dumps(data)


def test_data_is_counted_by_part(run):
    data = lineage([run])["data"]["ranking"]
    assert data["counts"] == {"rows": 9, "users": 4, "items": 3}
    assert data["split"] == {
        "training": {"rows": 4, "positives": 3, "users": 2, "items": 2},
        "validation": {"rows": 2, "positives": 1, "users": 2, "items": 2, "rows_of_new_users": 1, "rows_of_new_items": 0},
        "test": {"rows": 3, "positives": 2, "users": 3, "items": 2, "rows_of_new_users": 1, "rows_of_new_items": 2},
    }


def test_dates_are_iso(run):
    data = lineage([run])["data"]["ranking"]
    assert data["dates"] == ["2024-01-01T06:00:00Z", "2024-01-13T06:00:00Z"]
    assert (data["boundaries"]["val"], data["boundaries"]["test"]) == ("2024-01-08T00:00:00Z", "2024-01-11T00:00:00Z")


def test_each_run_brings_config_seed_and_what_it_recorded(run):
    found = lineage([run])
    assert found["seed"] == {"ranking": 7}
    assert found["config"]["ranking"]["model"]["dropout"] == 0.25
    recorded = found["train"]["ranking"]
    assert recorded["git"] == {"commit": "ab" * 20, "dirty": True}
    assert recorded["config_sha256"] == hashlib.sha256((run.path / "config.yaml").read_bytes()).hexdigest()
    assert "store" not in recorded  # a folder of one machine
