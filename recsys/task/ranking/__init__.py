"""The task of predicting the labels of impressions, such as clicks and conversions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from recsys.balance.base import Balance
from recsys.calibration.base import Calibration
from recsys.config import Makes, TrainConfig, build, schema_of
from recsys.data.read.impressions import EvaluationImpressions, Impressions
from recsys.data.read.oracle import impressions_of_test
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault
from recsys.loss.funnel import RankingLoss
from recsys.model.base import Ranker
from recsys.ranges import PositiveShare
from recsys.run.directory import RunDirectory
from recsys.schema import Schema
from recsys.source.base import Source
from recsys.task.base import Parts, Task, component, require_monitors
from recsys.task.ranking.evaluation import ImpressionEvaluation
from recsys.task.ranking.evidence import write_evidence
from recsys.task.ranking.module import RankingModule
from recsys.task.ranking.pair import Pair, pair_of
from recsys.task.ranking.teacher import Distillation, teacher_of


@dataclass(frozen=True)
class Ranking(Task):
    """One probability or number per label of a row that was shown, trained on all labels together.

    Attributes:
        balance: makes one loss of the labels' losses.
        calibration: builds a label's map from logit to probability.
        evaluation: measures predictions of all impressions.
        teacher: a finished run that the model learns from beside the labels.
        keep_negatives: share of the training rows without the first label that an epoch reads; probabilities stay those of all rows.
        retriever: directory of a finished retrieval run: at test its best items are ranked; None = there is none.
        pair: measures this task's model behind that one.
    """

    balance: Annotated[Callable[..., Balance], Makes("recsys.balance.base.Balance", later=("labels",))]
    calibration: Annotated[Callable[..., Calibration], Makes("recsys.calibration.base.Calibration", repeated=True)]
    evaluation: Annotated[
        Callable[..., ImpressionEvaluation], Makes("recsys.task.ranking.evaluation.ImpressionEvaluation", later=("oracle", "pair"))
    ]
    teacher: Distillation
    keep_negatives: PositiveShare
    retriever: Path | None
    pair: Annotated[Callable[..., Pair], Makes("recsys.task.ranking.pair.Pair", later=("retriever", "exclude_known", "labels", "truths"))]

    def model(self, config: TrainConfig, schema: Schema) -> Ranker:
        """Ranker with new weights and the heads that labels and loss ask for; see `Task.model`."""
        heads = (*(label.column for label in schema.labels), *_loss(config, schema).extra_heads)
        return component(config.model, Ranker, "model", remedy="model=mmoe")(schema=schema, heads=heads)

    def check(self, config: TrainConfig) -> None:
        """See `Task.check`."""
        labels = schema_of(config.data).labels
        if not labels:
            what, remedy = "there is no label to predict", "name 0/1 columns of the interactions, such as click"
            raise ConfigError(Fault(what, "data.labels", remedy))
        component(config.model, Ranker, "model", remedy="model=mmoe")
        _loss(config, schema_of(config.data))
        self.balance(labels=tuple(label.column for label in labels))
        for run in self.other_runs().values():
            RunDirectory.finished(run)
        require_monitors(config, self.evaluation().validated(labels))

    def parts(self, config: TrainConfig, store: Store, source: Source) -> Parts:
        """Everything that a ranking run needs; see `Task.parts`."""
        self.check(config)
        schema = store.schema
        loader = build(config.loader)(
            store=store, seed=config.seed, rows=Impressions, evaluated=EvaluationImpressions, keep_negatives=self.keep_negatives
        )
        sample = loader.negative_sample
        model = self.model(config, schema)  # the first to draw weights: a teacher changes nothing of how its student starts
        loss = _loss(config, schema)
        teacher = teacher_of(self.teacher, config, schema)
        pair = pair_of(self.retriever, self.pair, config, store=store, source=source)
        evaluation = self.evaluation(oracle=impressions_of_test(source, store), pair=pair)
        module = RankingModule(
            model,
            loss,
            balance=self.balance(labels=tuple(label.column for label in schema.labels)),
            calibration=self.calibration,
            optimizer=build(config.optimizer),
            scheduler=build(config.scheduler),
            schema=schema,
            kept_share=1.0 if sample is None else sample.share,
            teacher=teacher,
            evaluation=evaluation,
            seed=config.seed,
        )
        evidence = partial(write_evidence, store=store, source=source, name=config.data.name, evaluation=evaluation)
        return Parts(module, loader, evaluation, evidence)

    def other_runs(self) -> dict[str, Path]:
        """Runs of the teacher and of the retriever, where they are named."""
        runs = {"task.teacher.run": self.teacher.run, "task.retriever": self.retriever}
        return {key: run for key, run in runs.items() if run is not None}


def _loss(config: TrainConfig, schema: Schema) -> RankingLoss:
    return component(config.loss, RankingLoss, "loss", remedy="loss=esmm")(labels=schema.labels)
