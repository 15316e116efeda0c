import json
import os

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from recsys.callback import checkpoint
from recsys.callback.checkpoint import Checkpoints, load_checkpoint, point, write_checkpoint
from recsys.errors import ConfigError, IntegrityError, NumericsError

NAN = float("nan")


def about(tmp_path, name):
    return json.loads((tmp_path / "checkpoints" / name / "checkpoint.json").read_text())


@pytest.mark.parametrize(
    ("mode", "scores", "best_epoch"),
    [
        ("max", [0.1, 0.3, 0.2], 1),
        ("min", [0.1, 0.3, 0.2], 0),
        ("max", [0.1, 0.1], 0),  # no improvement
        ("max", [0.1, NAN, NAN], 0),
        ("max", [NAN, 0.1, 0.05], 1),
        ("max", [0.1, float("inf")], 0),
    ],
)
def test_best_follows_the_metric_and_last_the_run(fit, tmp_path, mode, scores, best_epoch):
    fit(Checkpoints("val/score", mode), scores=scores)
    assert about(tmp_path, "best")["epoch"] == best_epoch
    assert about(tmp_path, "best")["value"] == about(tmp_path, "best")["metrics"]["val/score"] == pytest.approx(scores[best_epoch])
    assert about(tmp_path, "last")["epoch"] == len(scores) - 1
    assert about(tmp_path, "last")["step"] == 2 * len(scores)


def test_no_best_without_a_finite_metric(fit, tmp_path):
    fit(Checkpoints("val/score", "max"), scores=[NAN])
    assert sorted(os.listdir(tmp_path / "checkpoints"))[0] == "last"
    assert about(tmp_path, "last")["value"] is None


def test_only_what_is_named_is_kept(fit, tmp_path):
    fit(Checkpoints("val/score", "max"), scores=[0.3, 0.1, 0.2])
    names = os.listdir(tmp_path / "checkpoints")
    assert sorted(name.split("-")[0] for name in names) == ["best", "last", "step", "step"]


def test_weights_come_back_with_shared_tables_saved_once(fit, tmp_path):
    module = fit(Checkpoints("val/score", "max"))
    weights = load_file(tmp_path / "checkpoints" / "last" / "model.safetensors")
    assert sorted(weights) == ["a.weight", "b.bias", "b.weight"]  # not tied.weight
    expected = module.model["a"].weight.detach().clone()
    nn.init.zeros_(module.model["a"].weight)
    assert load_checkpoint(module.model, tmp_path / "checkpoints" / "last")["step"] == 2
    assert torch.equal(module.model["tied"].weight, expected)


def test_unknown_metric_is_named(fit):
    with pytest.raises(ConfigError, match=r"no metric is called 'val/scroe'; did you mean 'val/score'\?"):
        fit(Checkpoints("val/scroe", "max"))


def test_weights_that_are_not_finite_never_replace_good_ones(fit, tmp_path):
    with pytest.raises(NumericsError, match="no longer finite at step 4"):
        fit(Checkpoints("val/score", "max"), scores=[0.1, 0.2], losses=[1.0, 1.0, NAN])
    assert about(tmp_path, "last")["step"] == about(tmp_path, "best")["step"] == 2


def test_crash_while_writing_leaves_the_old_checkpoint_and_no_trace(fit, tmp_path, monkeypatch):
    model, folder = nn.Linear(2, 1), tmp_path / "checkpoints"
    point(folder / "last", write_checkpoint(model, folder, about={"step": 1}))
    before = (folder / "last" / "model.safetensors").read_bytes()
    nn.init.zeros_(model.weight)

    def full(model, path):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_model", full)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(model, folder, about={"step": 2})
    assert (folder / "last" / "model.safetensors").read_bytes() == before
    monkeypatch.undo()
    fit(Checkpoints("val/score", "max"))  # the next start in this folder
    assert not [name for name in os.listdir(folder) if name.endswith(".tmp")]


def test_moving_the_link_never_leaves_it_missing(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    point(tmp_path / "best", tmp_path / "one")

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        point(tmp_path / "best", tmp_path / "two")
    assert (tmp_path / "best").resolve() == tmp_path / "one"
    monkeypatch.undo()
    point(tmp_path / "best", tmp_path / "two")
    assert (tmp_path / "best").resolve() == tmp_path / "two"


def test_same_step_with_other_weights_gets_its_own_folder(tmp_path):
    one = write_checkpoint(nn.Linear(2, 1), tmp_path, about={"step": 1})
    other = write_checkpoint(nn.Linear(2, 1), tmp_path, about={"step": 1})
    assert one != other


def test_flipped_bit_is_found(tmp_path):
    model = nn.Linear(2, 1)
    folder = write_checkpoint(model, tmp_path, about={"step": 1})
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(IntegrityError, match="not the file that was written"):
        load_checkpoint(model, folder)


def test_weights_of_another_model_are_refused(tmp_path):
    folder = write_checkpoint(nn.Linear(2, 1), tmp_path, about={"step": 1})
    with pytest.raises(IntegrityError, match="belong to another model"):
        load_checkpoint(nn.Linear(3, 1), folder)


def test_missing_checkpoint_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint"):
        load_checkpoint(nn.Linear(2, 1), tmp_path / "best")
