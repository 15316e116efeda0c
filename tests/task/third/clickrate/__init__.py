"""A task as small as one can be: the mean of a label by item. B rows."""

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from recsys.config import build
from recsys.data.read.impressions import EvaluationImpressions, Impressions
from recsys.run.directory import DATA, EXAMPLES
from recsys.task.base import Evaluation, Parts, Task, component
from recsys.task.evidence import described_data, write_document


class ItemRate(nn.Module):
    """A number for every item."""

    def __init__(self, *, schema):
        super().__init__()
        self.column = schema.item
        self.rate = nn.Embedding(schema.statistics[schema.item].size, 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """[B] float32."""
        return self.rate(features[self.column].long()).squeeze(1)


class SquaredError(nn.Module):
    """Mean squared error."""

    def forward(self, predicted: Tensor, actual: Tensor) -> Tensor:
        """Scalar."""
        return (predicted - actual).square().mean()


class ClickRateModule(LightningModule):
    """Fits the numbers."""

    def __init__(self, model, loss, *, label, config, evaluation):
        super().__init__()
        self.model, self.loss, self.label, self.config, self.evaluation = model, loss, label, config, evaluation

    def configure_callbacks(self):
        return [self.evaluation]

    def training_step(self, batch, batch_idx):
        return self.loss(self.model(batch.features), batch.labels[self.label])

    def validation_step(self, batch, batch_idx):
        return self.model(batch.features)

    test_step = validation_step

    def configure_optimizers(self):
        return build(self.config.optimizer)(module=self)


class MeanError(Evaluation):
    """Squared error of a split."""

    def __init__(self, label):
        super().__init__()
        self.label = label

    def on_validation_epoch_start(self, trainer, pl_module):
        self.predicted, self.numbers = [], []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.predicted.append(outputs)
        self.numbers.append(batch.number)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer, pl_module):
        self._measure(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer, pl_module):
        self._measure(trainer, pl_module, "test")

    def _measure(self, trainer, pl_module, stage):
        actual = trainer.datamodule.labels(stage)[self.label][torch.cat(self.numbers)]
        self.publish(pl_module, {f"{stage}/squared_error": float((torch.cat(self.predicted) - actual).square().mean())}, stage=stage)


class ClickRate(Task):
    """How often an item's label is 1."""

    def __init__(self, label: str):
        self.label = label

    def model(self, config, schema):
        return component(config.model, ItemRate, "model", remedy="task=clickrate")(schema=schema)

    def parts(self, config, store, source):
        loader = build(config.loader)(store=store, seed=config.seed, rows=Impressions, evaluated=EvaluationImpressions)
        evaluation = MeanError(self.label)
        loss = component(config.loss, SquaredError, "loss", remedy="task=clickrate")()
        module = ClickRateModule(self.model(config, store.schema), loss, label=self.label, config=config, evaluation=evaluation)

        def write_evidence(run):
            write_document({"task": "clickrate", "chosen": "none"}, run / EXAMPLES)
            write_document(described_data(store, config.data.name, rows=True), run / DATA)

        return Parts(module, loader, evaluation, write_evidence)
