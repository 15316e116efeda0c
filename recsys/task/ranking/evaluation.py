"""Measures what a ranker predicts for every validation and test impression. N rows, H heads.

Keys of `results`, as in metrics.json: `val/click/auc`, `val/log_loss` (summed over binary labels); at test also `test/click/auc/low` and
`/high`, `test/<slice>=<value>/click/auc`, `baseline/<name>/test/click/auc`, `oracle/test/click/auc`. A label given another is measured
where that one is 1, `test/conversion/auc`, and with it over all rows, `test/click_conversion/auc`; where the truth is known also against
its probability on all rows, `test/conversion_on_all/mae`.

All of these are measured as served: with bias columns, such as the position in a page, unknown, since a served graph has none. What
knowing them is worth stands beside, of the model, of baselines and of the truth: `with_bias/test/click/auc`,
`with_bias/baseline/<name>/test/click/auc`, `with_bias/oracle/test/click/auc`. The model's probabilities there have the calibration of
what is served: they say what the order of rows gains, and less of how right a probability could be.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from recsys.baseline.base import ImpressionBaseline
from recsys.batch import ImpressionBatch, Outcomes, Truth
from recsys.data.read.datamodule import DataModule
from recsys.disk import write_whole
from recsys.errors import DataError, Fault
from recsys.metric import regression
from recsys.metric.binary import METRICS
from recsys.metric.declaration import Better
from recsys.metric.funnel import Predictions, Target, targets
from recsys.metric.impressions import COUNTS, Impressions, impressions
from recsys.metric.reliability import reliability
from recsys.ranges import Count, Counts, Natural
from recsys.run.directory import CALIBRATION, RELIABILITY
from recsys.schema import Label, chains
from recsys.task.base import Evaluation
from recsys.task.ranking.module import RankingModule, by_label, calibrated
from recsys.task.ranking.pair import Pair
from recsys.task.ranking.rivals import Rivals

IN_GROUPS = (*(metric.name for metric in METRICS if metric.groups), "rows")
"""Metrics of a group of impressions."""


class ImpressionEvaluation(Evaluation):
    """Metrics of every label over all impressions of a split; the same for every batch size and number of processes.

    Before the test, each label's calibration is fitted on validation with the weights to be tested. Baselines and the truth answer the
    same impressions through the same metrics.

    Args:
        ks: cut-offs of NDCG and recall within a session, or within a user's impressions where there is none.
        intervals: 0 = no 95 % intervals at test.
        min_slice_rows: slices with fewer impressions are left out.
        baselines: {name: baseline}, fitted when test starts.
        pair: measures this ranker behind a retriever; None where there is none.
    Attributes:
        predicted: {label: [N] float64} of the test impressions, as served: calibrated probabilities, and numbers.
    """

    def __init__(
        self,
        ks: Counts,
        intervals: Natural,
        min_slice_rows: Count,
        baselines: dict[str, ImpressionBaseline],
        *,
        oracle: Truth | None = None,
        pair: Pair | None = None,
    ):
        super().__init__()
        self.ks = sorted(ks)
        self.intervals = intervals
        self.min_slice_rows = min_slice_rows
        self.baselines = baselines
        self.oracle = oracle
        self.pair = pair
        self.predicted: dict[str, Tensor] = {}

    def validated(self, labels: Sequence[Label]) -> dict[str, Better | None]:
        """{key of a metric of a validation: whether more or less of it is better}, as far as its rows define them."""
        of_binary: dict[str, Better | None] = {metric.name: metric.better for metric in METRICS}
        for name in ("ndcg", "recall"):
            of_binary |= {f"{name}@{k}": "more" for k in self.ks}
        of_binary |= dict.fromkeys(COUNTS)
        of_number: dict[str, Better | None] = {**{metric.name: metric.better for metric in regression.METRICS}, "rows": None}
        names = {label.column: of_binary if label.kind == "binary" else of_number for label in labels}
        names |= {"_".join(columns): names[column] for column, columns in chains(labels).items()}
        total: dict[str, Better | None] = {"val/log_loss": "less"} if any(label.kind == "binary" for label in labels) else {}
        return total | {f"val/{name}/{metric}": better for name, metrics in names.items() for metric, better in metrics.items()}

    def on_validation_epoch_start(self, trainer, pl_module) -> None:
        """Starts collecting."""
        self._predictions = Predictions(len(pl_module.labels)).to(pl_module.device)

    def on_test_epoch_start(self, trainer, pl_module) -> None:
        """Fits calibrations and starts collecting, with bias columns unknown and, where there are any, known."""
        self._calibrate(trainer, pl_module)
        self._predictions = Predictions(len(pl_module.labels) * (2 if pl_module.bias_columns else 1)).to(pl_module.device)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch: ImpressionBatch, batch_idx, dataloader_idx=0) -> None:
        """Keeps a batch's predictions."""
        self._predictions.update(batch.number, outputs)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer, pl_module) -> None:
        """Logs the metrics of every label."""
        if trainer.sanity_checking:
            return
        outcomes, predicted = trainer.datamodule.outcomes("val"), calibrated(self._outputs(pl_module)[0], pl_module)
        values = self._measure("val/", targets(pl_module.labels, predicted, outcomes.labels), outcomes)
        binary = [label.column for label in pl_module.labels if label.kind == "binary"]
        if binary:
            if not any(f"val/{column}/auc" in values for column in binary):
                raise DataError(Fault("no binary label has both classes in validation", "data.split", "give that split more rows"))
            values["val/log_loss"] = sum(values.get(f"val/{column}/log_loss", 0.0) for column in binary)
        self.publish(pl_module, values, stage="val")

    def on_test_epoch_end(self, trainer, pl_module) -> None:
        """Logs metrics with intervals and slices, and those of baselines and the truth."""
        data: DataModule = trainer.datamodule
        outputs, *with_bias = self._outputs(pl_module)
        outcomes, self.predicted = data.outcomes("test"), calibrated(outputs, pl_module)
        tested = targets(pl_module.labels, self.predicted, outcomes.labels)
        values = self._measure("test/", tested, outcomes, final=True) | self._slices(tested, outcomes)
        _write(trainer, RELIABILITY, _reliability_curves(tested))
        started = time.monotonic()
        rivals = Rivals(self.baselines, oracle=self.oracle, data=data, labels=pl_module.labels)
        scores = rivals.served()
        self.notes += rivals.notes
        if with_bias:
            known = {f"with_bias/{name}": rival for name, rival in rivals.with_bias().items()}
            scores |= {"with_bias": calibrated(with_bias[0], pl_module), **known}
        self.baselines_s = time.monotonic() - started
        for name, predicted in scores.items():
            values |= self._measure(f"{name}/test/", targets(pl_module.labels, predicted, outcomes.labels), outcomes)
        if self.oracle is not None:
            values |= _against_truth(outputs, self.oracle)
        if self.pair is not None:
            values |= self.pair.metrics(trainer, pl_module)
        self.publish(pl_module, values, stage="test")

    def _calibrate(self, trainer: Any, pl_module: RankingModule) -> None:
        """Fit each binary label's calibration on validation rows that concern it."""
        data: DataModule = trainer.datamodule
        collected = Predictions(len(pl_module.labels)).to(pl_module.device)
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            for batch in data.val_dataloader():
                batch = batch.to(pl_module.device)
                collected.update(batch.number, pl_module.validation_step(batch, 0))
        logits = by_label(collected.compute(), pl_module)
        self.notes = []
        for target in targets(pl_module.labels, logits, data.outcomes("val").labels):
            if target.name in pl_module.calibrations:
                calibration = pl_module.calibrations[target.name]
                calibration.fit(*target.predicted_and_actual())
                self.notes += [f"calibration of {target.name}: {calibration.note}"] if calibration.note else []
        _write(trainer, CALIBRATION, {column: calibration.state() for column, calibration in pl_module.calibrations.items()})

    def _outputs(self, pl_module: RankingModule) -> list[dict[str, Tensor]]:
        """{label: [N] float64} logit, or number, as served, then with bias columns where those were collected; frees what was."""
        collected = self._predictions.compute()
        del self._predictions
        return [by_label(part, pl_module) for part in collected.split(len(pl_module.labels), 1)]

    def _measure(self, prefix: str, measured: list[Target], outcomes: Outcomes, *, final: bool = False) -> dict[str, float]:
        """Metrics of every target under a prefix of the keys; with `final` also their intervals, and notes on those without a value."""
        values: dict[str, float] = {}
        for target in measured:
            key = f"{prefix}{target.name}"
            if not target.binary:
                values |= {f"{key}/{name}": value for name, value in _errors(target).items()}
                continue
            rows = _impressions(target, outcomes, self.ks)
            metrics, missing = rows.metrics()
            values |= {f"{key}/{name}": value for name, value in metrics.items()}
            if final:
                bounds, unsure = rows.intervals() if self.intervals else ({}, {})
                names: dict[str, list[str]] = {}
                for name, reason in (missing | unsure).items():
                    names.setdefault(reason, []).append(name)
                self.notes += [f"{key}: {', '.join(those)} {reason}" for reason, those in names.items()]
                for name, (low, high) in bounds.items():
                    values |= {f"{key}/{name}/low": low, f"{key}/{name}/high": high}
        return values

    def _slices(self, tested: list[Target], outcomes: Outcomes) -> dict[str, float]:
        values: dict[str, float] = {}
        groups = [(f"{part.name}={name}", part.codes == code) for part in outcomes.slices for code, name in enumerate(part.values)]
        for group, inside in groups:
            for target in tested:
                chosen = target.rows & inside
                if target.binary and chosen.sum() >= self.min_slice_rows:
                    metrics, _ = impressions(target.predicted[chosen], target.actual[chosen], user=None, ks=[]).metrics()
                    values |= {f"test/{group}/{target.name}/{metric}": metrics[metric] for metric in IN_GROUPS if metric in metrics}
        return values


def _impressions(target: Target, outcomes: Outcomes, ks: list[int]) -> Impressions:
    """The rows that a target concerns."""
    user, session = (None if column is None else column[target.rows] for column in (outcomes.user, outcomes.session))
    return impressions(*target.predicted_and_actual(), user=user, session=session, ks=ks)


def _write(trainer: Trainer, name: str, document: dict) -> None:
    """A file of the run directory, by one process."""
    if trainer.is_global_zero:
        write_whole(Path(trainer.default_root_dir) / name, json.dumps(document, indent=2) + "\n")


def _against_truth(outputs: dict[str, Tensor], truth: Truth) -> dict[str, float]:
    """Errors of a label given another against its true probability if that one had to be 1 in every row.

    Before calibration, which makes it right on the rows where the given one is 1: what it is on all rows, the loss decides.
    """
    values = {}
    for column, true in truth.forced.items():
        predicted = outputs[column].sigmoid()
        values[f"test/{column}_on_all/mae"] = float((predicted - true).abs().mean())
        values[f"test/{column}_on_all/rmse"] = float((predicted - true).square().mean().sqrt())
        values[f"test/{column}_on_all/predicted_over_actual"] = float(predicted.sum() / true.sum())
    return values


def _errors(target: Target) -> dict[str, float]:
    """{metric: error} of a target that is no probability, and its rows; these alone where there are none."""
    predicted, actual = target.predicted_and_actual()
    errors = {metric.name: metric.measure(predicted, actual) for metric in regression.METRICS} if len(actual) else {}
    return {**errors, "rows": float(len(actual))}


def _reliability_curves(targets: list[Target]) -> dict[str, dict]:
    """{binary label or funnel: its curve}; without those that concern no row."""
    curves = {target.name: reliability(*target.predicted_and_actual()) for target in targets if target.binary}
    return {name: curve for name, curve in curves.items() if curve is not None}
