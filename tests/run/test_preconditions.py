"""What is refused before the first step."""

from types import SimpleNamespace

import pytest

from recsys.errors import ConfigError, ResourceError
from recsys.run.checkpoint import checkpoint_facts
from recsys.run.saver import Checkpoints


def test_nothing_is_trained_that_could_not_be_saved(fit, monkeypatch):
    monkeypatch.setattr("recsys.run.preconditions.shutil.disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(ResourceError, match=r"a checkpoint may take 108 bytes: 2\.5 times that is needed, and 100 are free"):
        fit(Checkpoints("val/score", "max"))


@pytest.mark.parametrize(
    "options",
    [
        {"check_val_every_n_epoch": 2},
        {"limit_val_batches": 0},
        {"max_steps": 1},
        {"check_val_every_n_epoch": None, "val_check_interval": 3},
        {"max_steps": 1, "val_check_interval": 2},
    ],
)
def test_a_run_that_would_never_validate_is_refused_before_its_first_step(fit, tmp_path, options):
    with pytest.raises(ConfigError, match="before its first validation"):
        fit(Checkpoints("val/score", "max"), **options)
    assert not (tmp_path / "checkpoints").exists()


VALIDATED_ONCE = [{"max_steps": 2}, {"max_steps": 1, "val_check_interval": 1}, {"max_steps": 1, "max_epochs": 1, "steps": 1}]


@pytest.mark.parametrize("options", VALIDATED_ONCE)
def test_a_run_that_validates_once_is_not_refused(fit, tmp_path, options):
    fit(Checkpoints("val/score", "max"), scores=[0.1, 0.2], **options)
    assert checkpoint_facts(tmp_path / "checkpoints" / "best")["step"] == options["max_steps"]
