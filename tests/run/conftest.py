"""A module so small that a whole fit takes milliseconds."""

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader


class Line(LightningModule):
    """Fits weights to inputs; logs the next of `scores` as val/score at each validation."""

    def __init__(self, scores, losses):
        super().__init__()
        self.model = nn.ModuleDict({"a": nn.Embedding(3, 2), "b": nn.Linear(2, 1)})
        self.model["tied"] = self.model["a"]
        self.scores, self.losses = iter(scores), iter(losses)

    def training_step(self, batch, batch_idx):
        return self.model["b"](self.model["a"](batch)).square().mean() * next(self.losses, 1.0)

    def validation_step(self, batch, batch_idx):
        self.log("val/score", float(next(self.scores)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def fit(tmp_path):
    """fit(callbacks, scores, losses) trains one epoch of two steps per score under tmp_path."""

    def fit(*callbacks, scores=(0.1,), losses=(), steps=2, logger=False, **options):
        generator = torch.Generator().manual_seed(0)
        module = Line(scores, losses)
        nn.init.normal_(module.model["a"].weight, generator=generator)
        trainer = Trainer(
            **{"max_epochs": len(scores)} | options,
            accelerator="cpu",
            callbacks=list(callbacks),
            logger=logger,
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
        )
        batches = DataLoader([torch.tensor([0, 1, 2])] * steps, batch_size=None)
        trainer.fit(module, batches, DataLoader([torch.tensor([0])], batch_size=None))
        return module

    return fit
