"""Data and lineage in Markdown, from facts written by hand."""

import pytest

from recsys.report.release import data_blocks, lineage_blocks

DATA = {
    "name": "shop",
    "store": "830b2aba49e04d42",
    "inputs": [
        {"table": "interactions", "file": "clicks.parquet", "size": 408161, "sha256": "7c279000" * 8, "whole": True},
        {"table": "users", "file": "", "size": 900, "sha256": "4266d809" * 8, "whole": False},
    ],
    "counts": {"rows": 1000, "users": 60, "items": 30},
    "split": {
        "training": {"rows": 800, "positives": 100, "users": 50, "items": 28},
        "validation": {"rows": 100, "positives": 12, "users": 20, "items": 20, "rows_of_new_users": 3, "rows_of_new_items": 0},
        "test": {"rows": 100, "positives": 11, "users": 22, "items": 21, "rows_of_new_users": 5, "rows_of_new_items": 12},
    },
    "dates": ["2025-01-06T01:02:03Z", "2025-03-30T23:51:08Z"],
    "boundaries": {"val": "2025-03-16T23:51:08Z", "test": "2025-03-23T23:51:08Z", "end": "2025-03-30T23:51:08Z"},
    "notes": ["5 of 100 test rows (5.0%) have a 'user_id' that training never saw"],
}
SPLIT = {"_target_": "recsys.data.split.Temporal", "val_days": 7, "test_days": 7, "val_start": None}
CONFIG = {"data": {"split": SPLIT}, "monitor": "val/recall@20"}
TRAIN = {
    "git": {"commit": "ab" * 20, "dirty": False},
    "lock": {"file": "constraints.txt", "sha256": "cd" * 32},
    "versions": {"python": "3.11.7", "torch": "2.13.0+cpu"},
    "started": "2026-11-23T04:19:34+00:00",
    "platform": "Linux",
    "command": "python train.py loss=bpr 'data.name=two words' hydra.run.dir=/home/me/run",
    "config_sha256": "ef" * 32,
}
LINEAGE = {
    "git": {"commit": "12" * 20, "dirty": True},
    "lock": None,
    "data": {"retrieval": DATA, "ranking": DATA},
    "config": {"retrieval": CONFIG, "ranking": CONFIG},
    "seed": {"retrieval": 7},
    "train": {"retrieval": TRAIN},
}


@pytest.fixture(scope="module")
def data():
    return "\n".join(data_blocks(LINEAGE)).splitlines()


@pytest.fixture(scope="module")
def lineage():
    checkpoint = {"retrieval": {"sha256": "34" * 32, "step": 12345}}
    return "\n".join(lineage_blocks(LINEAGE, checkpoint, {"python": "3.12.1", "onnx": "1.23.2"})).splitlines()


def test_data_that_tasks_share_is_told_once(data):
    assert data.count("Data set `shop` of retrieval and ranking, prepared as `830b2aba49e04d42`.") == 1


def test_data_of_its_own_store_is_told_beside(data):
    other = {**LINEAGE, "data": {"retrieval": DATA, "ranking": {**DATA, "store": "other"}}}
    text = "\n".join(data_blocks(other))
    assert "Data set `shop` of retrieval, prepared as `830b2aba49e04d42`." in text
    assert "Data set `shop` of ranking, prepared as `other`." in text


def test_data_names_files_with_their_hashes(data):
    assert "| interactions | clicks.parquet | 408.2 kB | 7c2790007c279000 |" in data
    assert "| users | in memory | 900 B | 4266d8094266d809 (first and last block) |" in data


def test_data_is_counted_by_part(data):
    assert "|  | rows | positives | users | items | rows of new users | rows of new items |" in data
    assert "| training | 800 | 100 | 50 | 28 | – | – |" in data
    assert "| test | 100 | 11 | 22 | 21 | 5 | 12 |" in data
    assert "| all | 1,000 | – | 60 | 30 | – | – |" in data


def test_data_tells_split_and_dates(data):
    assert (
        "Split: Temporal (val_days 7, test_days 7). Rows from 2025-01-06 01:02 to 2025-03-30 23:51 UTC. "
        "Validation starts 2025-03-16 23:51, the test 2025-03-23 23:51 UTC."
    ) in data


def test_data_without_moments_has_no_dates():
    still = {**LINEAGE, "data": {"retrieval": {**DATA, "dates": None, "boundaries": None}}}
    assert "Split: Temporal (val_days 7, test_days 7)." in data_blocks(still)


def test_data_tells_what_preparation_found(data):
    assert "- 5 of 100 test rows (5.0%) have a 'user_id' that training never saw" in data


def test_lineage_sets_export_beside_training(lineage):
    assert "|  | export | training: retrieval |" in lineage
    assert "| commit | `121212121212`, with changes that are not committed | `abababababab` |" in lineage
    assert "| lock file | – | `constraints.txt` `cdcdcdcdcdcd` |" in lineage
    assert "| seed | – | 7 |" in lineage
    assert "| config, sha256 | – | `efefefefefef` |" in lineage
    assert "| weights, sha256 | – | `343434343434` |" in lineage
    assert "| weights chosen by | – | `val/recall@20` |" in lineage
    assert "| weights of step | – | 12,345 |" in lineage


def test_lineage_compares_versions(lineage):
    assert "| python | 3.12.1 | 3.11.7 |" in lineage
    assert "| onnx | 1.23.2 | – |" in lineage
    assert "| torch | – | 2.13.0+cpu |" in lineage


def test_lineage_gives_the_command_without_the_directory_that_is_taken(lineage):
    assert "python train.py loss=bpr 'data.name=two words'" in lineage


def test_run_that_recorded_less_leaves_rows_out():
    bare = {**LINEAGE, "git": None, "train": {"retrieval": {"git": None}}, "config": {"retrieval": {}}}
    text = "\n".join(lineage_blocks(bare, {}, {}))
    assert "commit" not in text
    assert "make it again" not in text
    assert "| seed | – | 7 |" in text
