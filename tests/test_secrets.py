"""A password on the command line stands in no file that a run, a bundle or Weights & Biases keeps."""

import json
import os
from pathlib import Path

import pytest
import yaml

from recsys.errors import ConfigError
from recsys.program import compose, train

PLANTED = "hunter22"
SHOP = [f"data.source.num_{noun}={number}" for noun, number in (("users", 300), ("items", 300), ("impressions", 20000))]
FAST = ["trainer.max_epochs=1", "model.dim=8", "model.embedding_dim=8", "task.evaluation.intervals=0", "loader.batch_size=512"]
ADDRESS = f"s3://me:{PLANTED}@host/shop"


@pytest.fixture(scope="module")
def home(forked, tmp_path_factory):
    """A folder with the run `out`, which was sent to Weights & Biases offline, and its bundle."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_API_KEY": "0" * 40}
    words = [f"data.source.folder=cache/{ADDRESS}", "logger=wandb", "logger.wandb.project=x", f"logger.wandb.tags=['token={PLANTED}']"]
    done = forked("train.py", *SHOP, *FAST, *words, "hydra.run.dir=out", cwd=home, environment=environment)
    assert done.returncode == 0, done.stderr
    done = forked("export.py", "run=out", cwd=home, environment=environment)
    assert done.returncode == 0, done.stderr
    return home


def test_no_file_of_a_run_its_bundle_or_weights_and_biases_holds_the_password(home):
    files = [path for path in (home / "out").rglob("*") if path.is_file()]
    assert {"config.yaml", "lineage.json", "train.log", "report.html", "manifest.json", "card.md"} <= {path.name for path in files}
    assert [path for path in files if path.suffix == ".wandb"]
    assert [str(path) for path in files if PLANTED.encode() in path.read_bytes()] == []
    assert [str(path) for path in (home / "out").rglob("*") if PLANTED in path.name] == []


def test_what_stands_in_its_place_says_so(home):
    saved = yaml.safe_load((home / "out" / "config.yaml").read_text())
    assert saved["data"]["source"]["folder"] == "cache/s3://<hidden>@host/shop"
    assert "s3://<hidden>@host/shop" in json.loads((home / "out" / "lineage.json").read_text())["command"]


def test_a_run_goes_on_when_the_password_is_given_again(home, forked):
    done = forked("train.py", "resume=out", cwd=home)
    assert done.returncode == 2
    assert "data.source.folder=..." in done.stderr
    tags = f"logger.wandb.tags=['token={PLANTED}']"
    done = forked("train.py", "resume=out", "data.source.folder=cache/s3://me:another@host/shop", tags, cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is left to do" in done.stdout


@pytest.mark.parametrize("key", ["hydra.run.dir", "data.store"])
def test_folders_that_every_file_repeats_are_refused(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    store, run = (ADDRESS, tmp_path / "run") if key == "data.store" else ("store", Path(ADDRESS))
    with pytest.raises(ConfigError) as refused:
        train(compose(f"data.store={store}"), run)
    assert key in str(refused.value)
    assert PLANTED not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
