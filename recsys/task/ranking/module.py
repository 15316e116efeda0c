"""Training a model to predict the labels of impressions, such as clicks and conversions. B rows, H heads."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from recsys.balance.base import Balance
from recsys.batch import Batch, ImpressionBatch
from recsys.calibration.base import Calibration
from recsys.errors import Fault, NumericsError
from recsys.loss.funnel import RankingLoss
from recsys.loss.sampling import of_sample
from recsys.model.base import Ranker
from recsys.schema import Schema
from recsys.task.base import Evaluation, TaskModule
from recsys.task.ranking.teacher import Teacher


class RankingModule(TaskModule):
    """One loss per label, balanced into one; probabilities are calibrated on validation once training is over.

    Args:
        model: features to one logit per label, and what else the loss asks for.
        calibration: builds a label's map from logit to probability.
        schema: fitted; what is predicted, and the deviation of numbers, in which their losses are counted.
        kept_share: of the training rows without the first label, those that an epoch reads; see `recsys.loss.sampling`.
        teacher: adds to each label's loss, before they are balanced; None = the labels alone teach.
        optimizer, scheduler, evaluation, seed: see `TaskModule`.
    """

    def __init__(
        self,
        model: Ranker,
        loss: RankingLoss,
        *,
        balance: Balance,
        calibration: Callable[[], Calibration],
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        schema: Schema,
        kept_share: float = 1.0,
        teacher: Teacher | None = None,
        evaluation: Evaluation | None = None,
        seed: int = 0,
    ):
        super().__init__(optimizer=optimizer, scheduler=scheduler, evaluation=evaluation, seed=seed)
        self.model = model
        self.loss = loss
        self.balance = balance
        self.labels = schema.labels
        self.bias_columns = frozenset(feature.column for feature in schema.of("bias"))
        self.variance = {label.column: schema.statistics[label.column].std ** 2 for label in schema.labels if label.kind == "regression"}
        self.calibrations = {label.column: calibration() for label in schema.labels if label.kind == "binary"}
        self.kept_share = kept_share
        self.teacher = teacher

    def on_fit_start(self) -> None:
        """A teacher answers where batches are."""
        if self.teacher is not None:
            self.teacher.to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scalar loss of one batch."""
        outputs = self.model(batch.features)
        losses = self._in_units(self.loss(of_sample(outputs, self.labels[0].column, share=self.kept_share), batch.labels, batch.weight))
        distillation: dict[str, Tensor] = {}
        if self.teacher is not None:
            distillation = self._in_units(self.teacher.losses(outputs, batch))
            losses |= {column: losses[column] + self.teacher.weight * loss for column, loss in distillation.items()}
        share = self.weight_share(batch.weight)  # before the balance, which may compare gradients over all processes
        total = self.balance({column: loss * share for column, loss in losses.items()}, self.model.shared_parameters())
        size = len(batch.weight)
        self.log("train/loss", total.detach(), batch_size=size)
        self.log_dict({f"train/{column}/loss": value.detach() for column, value in losses.items()}, batch_size=size)
        self.log_dict({f"train/{column}/distillation": value.detach() for column, value in distillation.items()}, batch_size=size)
        self.log_dict({f"train/{name}": value for name, value in self.balance.telemetry.items()}, batch_size=size)
        return total

    def _in_units(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Squared errors of numbers in units of their variance in training, the other losses as they are."""
        return {column: loss / self.variance.get(column, 1.0) for column, loss in losses.items()}

    def validation_step(self, batch: ImpressionBatch, batch_idx: int) -> Tensor:
        """[B, H] float32 by label: logits of P(label | the label it is given), numbers of regressions, before calibration.

        As served: bias columns count as unknown.
        """
        return self._outputs({column: values for column, values in batch.features.items() if column not in self.bias_columns})

    def test_step(self, batch: ImpressionBatch, batch_idx: int) -> Tensor:
        """What `validation_step` gives, and behind it, where the schema has bias columns, the same with them: [B, H] or [B, 2 H]."""
        served = self.validation_step(batch, batch_idx)
        return torch.cat([served, self._outputs(batch.features)], 1) if self.bias_columns else served

    def _outputs(self, features: dict[str, Tensor]) -> Tensor:
        outputs = self.model(features)
        return torch.stack([outputs[label.column] for label in self.labels], 1).float()


def by_label(values: Tensor, module: RankingModule) -> dict[str, Tensor]:
    """{label: [N] float64} of [N, H] logits and numbers; a NumericsError where one is not finite."""
    broken = int((~values.isfinite()).any(1).sum())
    if broken:
        what = f"predictions of {broken:,} of {len(values):,} impressions hold NaN or infinity"
        raise NumericsError(Fault(what, "evaluation", "lower optimizer.dense.lr and optimizer.tables.lr, or train in float32"))
    return {label.column: column.double() for label, column in zip(module.labels, values.unbind(1), strict=True)}


def calibrated(outputs: dict[str, Tensor], module: RankingModule) -> dict[str, Tensor]:
    """{label: [N] float64} probability, or number."""
    with torch.no_grad():
        probability = {column: calibration(outputs[column].float()).double() for column, calibration in module.calibrations.items()}
    return outputs | probability
