import json
import os
from concurrent.futures import Future

import pytest
import torch
from pytorch_lightning import Callback
from safetensors.torch import load_file
from torch import nn

from recsys.disk.folders import point
from recsys.errors import ConfigError, Fault, NumericsError, ResourceError
from recsys.run.checkpoint import load_checkpoint
from recsys.run.saver import Checkpoints

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


def test_best_is_named_before_last_whose_state_says_that_it_stands_there(fit, monkeypatch):
    named = []

    def noted(link, target):
        named.append(link.name)
        point(link, target)

    monkeypatch.setattr("recsys.run.saver.point", noted)
    fit(Checkpoints("val/score", "max"), scores=[0.1, 0.2])
    assert named[:2] == ["best", "last"]
    assert named.count("best") == 2


def test_no_best_without_a_finite_metric(fit, tmp_path):
    with pytest.raises(NumericsError, match="no validation gave a finite 'val/score', so no weights are the best"):
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


def test_what_could_not_be_written_is_said_at_the_next_step(fit, tmp_path, monkeypatch):
    def full(*_, **__):
        raise ResourceError(Fault("No space left on device", "here", "free space"))

    monkeypatch.setattr("recsys.run.saver.write_checkpoint", full)
    checkpoints, seen = Checkpoints("val/score", "max"), []
    checkpoints._writer = Now()

    class Steps(Callback):
        def on_train_batch_end(self, trainer, *_):
            seen.append(trainer.global_step)

    with pytest.raises(ResourceError, match="No space left"):
        fit(checkpoints, Steps(), scores=[0.1, 0.2])
    assert seen == [1, 2, 3]  # it is saved before the third step, and said before the fourth


def test_a_folder_that_cannot_be_removed_stops_nothing(fit, tmp_path, monkeypatch, caplog):
    def stays(folder):
        raise PermissionError("not yours")

    monkeypatch.setattr("recsys.run.saver.tidy", stays)
    fit(Checkpoints("val/score", "max"), scores=[0.1, 0.2])
    assert about(tmp_path, "last")["step"] == 4
    assert "a checkpoint that is no longer needed stays: not yours" in caplog.text


def test_saves_between_validations_too(fit, tmp_path):
    seen = []

    class Look(Callback):
        def on_train_batch_end(self, trainer, *_):
            last = tmp_path / "checkpoints" / "last"
            seen.append(last.resolve().name[:13] if last.exists() else None)

    checkpoints = Checkpoints("val/score", "max", every_s=1e-9)
    checkpoints._writer = Now()
    fit(checkpoints, Look(), steps=3)
    assert seen == ["step-00000000", "step-00000001", "step-00000002"]


class Now:
    """Writes at once."""

    def submit(self, write):
        done = Future()
        try:
            done.set_result(write())
        except ResourceError as error:
            done.set_exception(error)
        return done
