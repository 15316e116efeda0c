"""A run directory belongs to one run of Weights & Biases, for good."""

import json

import pytest

from recsys.errors import IntegrityError
from recsys.logger.destination import Destination

SAID = {"project": "shops", "name": "first", "group": None, "tags": ("a",), "artifacts": True, "mode": "offline"}


@pytest.fixture(autouse=True)
def no_agent(monkeypatch):
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)


def test_id_is_made_once_and_kept(tmp_path):
    first = Destination(**SAID).settle(tmp_path)
    assert first.id.startswith(f"{tmp_path.name}-")
    assert Destination(**SAID).settle(tmp_path).id == first.id == Destination.find(tmp_path).id


def test_a_directory_trained_anew_is_another_run(tmp_path):
    first = Destination(**SAID).settle(tmp_path)
    (tmp_path / "wandb.json").unlink()
    assert Destination(**SAID).settle(tmp_path).id != first.id


def test_what_a_resumed_run_says_is_kept_under_the_same_id(tmp_path):
    first = Destination(**SAID).settle(tmp_path)
    Destination(**SAID | {"group": "night", "tags": ()}).settle(tmp_path)
    found = Destination.find(tmp_path)
    assert (found.id, found.group, found.tags) == (first.id, "night", ())


def test_an_agent_of_a_sweep_names_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "asked4")
    assert Destination(**SAID).settle(tmp_path).id == "asked4"


def test_id_has_no_sign_that_weights_and_biases_refuses(tmp_path):
    run = tmp_path / "lr=0.1, dim:16"
    run.mkdir()
    assert Destination(**SAID).settle(run).id.startswith("lr-0.1-dim-16-")


def test_a_run_that_was_never_told_has_none(tmp_path):
    assert Destination.find(tmp_path) is None


def test_a_damaged_file_is_refused_by_name(tmp_path):
    (tmp_path / "wandb.json").write_text(json.dumps({"id": 7}))
    with pytest.raises(IntegrityError, match=r"wandb.json is not what a run writes"):
        Destination.find(tmp_path)
