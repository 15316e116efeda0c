"""The installed Lightning has every place that a run which goes on depends on."""

import re
from functools import reduce
from pathlib import Path

import pytest
import pytorch_lightning
from pytorch_lightning import Trainer

from recsys.run.lightning_internals import TOUCHED, Place

HOME = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trainer():
    return Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)


@pytest.mark.parametrize("place", TOUCHED)
def test_lightning_still_has_the_place(trainer, place):
    try:
        reduce(getattr, place.split("."), trainer)
    except AttributeError as error:
        release = pytorch_lightning.__version__
        pytest.fail(
            f"pytorch-lightning {release} has no trainer.{place}: mend recsys/run/lightning_internals.py, or pin it lower ({error})"
        )


def test_place_is_set_in_every_counter(trainer):
    place = Place(epoch=2, batches=25, batches_in_epoch=5, steps=24, validation_due=False, epoch_ends=False, stopped=False)
    place.take(trainer)
    assert (trainer.current_epoch, trainer.global_step) == (2, 24)
    assert trainer.fit_loop.epoch_loop.total_batch_idx == 24  # counted from 0
    assert trainer.fit_loop.epoch_loop.restarting


def test_no_other_file_touches_a_private_place_of_the_trainer():
    private = re.compile(r"(trainer|fit_loop|epoch_loop|val_loop|loop)\._[a-z]")
    found = {path.name for path in (HOME / "recsys").rglob("*.py") if private.search(path.read_text())}
    assert found == {"lightning_internals.py"}
