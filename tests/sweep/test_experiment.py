import pytest
import yaml

from recsys.sweep.experiment import experiment


@pytest.fixture
def conf(tmp_path):
    for group in ("loss", "tower", "experiment", "task"):
        (tmp_path / group).mkdir()
    return tmp_path


def test_choices_become_overrides_and_keys_values(conf):
    overrides = ["task=ranking", "tower@model.user=sequence", "loss.temperature=0.05", "++model.hidden=[64,null]", "data.root='a b'"]
    text = experiment(overrides, conf=conf, header="What for.")
    assert text.startswith("# @package _global_\n# What for.   python train.py experiment=best\n")
    assert yaml.safe_load(text) == {
        "defaults": [{"override /task": "ranking"}, {"override /tower@model.user": "sequence"}, "_self_"],
        "loss": {"temperature": 0.05},
        "model": {"hidden": [64, None]},
        "data": {"root": "a b"},
    }


def test_experiment_is_built_upon(conf):
    text = experiment(["experiment=movielens", "loss=bpr"], conf=conf, header="x.")
    assert yaml.safe_load(text)["defaults"] == ["movielens", {"override /loss": "bpr"}, "_self_"]


def test_what_a_file_cannot_say_stays_on_the_command_line(conf):
    overrides = ["~callbacks.early_stopping", "data.features.0.max_len=5", "seed=1"]
    text = experiment(overrides, conf=conf, header="x.")
    assert "python train.py experiment=best ~callbacks.early_stopping data.features.0.max_len=5\n" in text
    assert yaml.safe_load(text) == {"defaults": ["_self_"], "seed": 1}


def test_text_that_looks_like_a_number_stays_text(conf):
    assert "name: '1e-3'" in experiment(["name='1e-3'"], conf=conf, header="x.")  # OmegaConf reads 1e-3 as a number
