"""What is refused before the first step."""

from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

from recsys.errors import ConfigError, ResourceError
from recsys.run.checkpoint import checkpoint_facts
from recsys.run.preconditions import require_gradients_that_nccl_adds, require_own_buffers
from recsys.run.saver import Checkpoints
from tests.conftest import HOME


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


class WithQueue(LightningModule):
    """A model with constants, and a queue of the task's own."""

    def __init__(self):
        super().__init__()
        self.model = nn.BatchNorm1d(2)
        self.candidates = nn.Module()
        self.candidates.register_buffer("queue", torch.zeros(4))


def test_processes_that_would_share_the_first_ones_queue_are_refused():
    trainer = Trainer(accelerator="cpu", devices=2, logger=False, enable_checkpointing=False)  # Lightning chooses the strategy
    with pytest.raises(ConfigError, match=r"(?s)'candidates\.queue'.*trainer\.strategy.*trainer=ddp") as refused:
        require_own_buffers(trainer, WithQueue())
    assert len(refused.value.faults) == 1


@pytest.mark.parametrize(
    ("options", "module"),
    [
        ({"devices": 1}, WithQueue()),
        ({"devices": 2, "strategy": DDPStrategy(broadcast_buffers=False)}, WithQueue()),
        ({"devices": 2}, LightningModule()),  # it has nothing that could be overwritten
    ],
)
def test_processes_with_buffers_of_their_own_are_not_refused(options, module):
    require_own_buffers(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, **options), module)


def with_table(*, sparse):
    module = LightningModule()
    module.table = nn.Embedding(1_200, 2, sparse=sparse)
    return module


def on_backend(backend):
    strategy = DDPStrategy(process_group_backend=backend)
    return Trainer(accelerator="cpu", devices=2, strategy=strategy, logger=False, enable_checkpointing=False)


def test_sparse_gradients_over_nccl_are_refused():
    with pytest.raises(ConfigError, match=r"(?s)NCCL.*1,200 rows.*sparse_from.*1201") as refused:
        require_gradients_that_nccl_adds(on_backend("nccl"), with_table(sparse=True))
    assert len(refused.value.faults) == 1


@pytest.mark.parametrize(("backend", "sparse"), [("nccl", False), ("gloo", True)])
def test_gradients_that_the_backend_adds_are_not_refused(backend, sparse):
    require_gradients_that_nccl_adds(on_backend(backend), with_table(sparse=sparse))


def test_a_run_with_shared_buffers_is_refused_before_a_file_is_written(tmp_path):
    trainer = Trainer(accelerator="cpu", devices=2, default_root_dir=tmp_path / "run", logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigError, match="broadcast_buffers"):
        Checkpoints("val/score", "max").setup(trainer, WithQueue(), "fit")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("preset", ["gpu", "ddp"])
def test_presets_that_take_a_gpu_let_operations_run_that_have_no_repeatable_form(preset):
    """An error where an operation is not deterministic would stop each ranking run with a funnel loss at its first step."""
    with initialize_config_dir(str(HOME / "conf"), version_base=None):
        assert compose("train", [f"trainer={preset}"]).trainer.deterministic == "warn"
