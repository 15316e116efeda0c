"""The task of finding the items of a catalogue that a user will choose next."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from recsys.candidates.base import Candidates
from recsys.config import Makes, TrainConfig, build
from recsys.data.read.facts import columns_without_unknown
from recsys.data.read.oracle import oracle_of_test
from recsys.data.read.rows import EvaluationUsers, PositiveRows, Sequences
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault
from recsys.loss.base import RetrievalLoss
from recsys.model.two_tower import TwoTower
from recsys.schema import Schema
from recsys.source.base import Source
from recsys.task.base import Parts, Task, component, require_monitors
from recsys.task.retrieval.evaluation import CatalogueEvaluation
from recsys.task.retrieval.evidence import write_evidence
from recsys.task.retrieval.module import RetrievalModule


@dataclass(frozen=True)
class Retrieval(Task):
    """Two towers, trained to rank a user's next items first, and measured over the whole catalogue.

    Attributes:
        mask_known: leave the user's other training items out of the negatives.
        candidates: what a step's positives compete with.
        evaluation: measures lists of the whole catalogue.
    """

    mask_known: bool
    candidates: Annotated[Callable[..., Candidates], Makes("recsys.candidates.base.Candidates", later=("item_count", "seed"))]
    evaluation: Annotated[
        Callable[..., CatalogueEvaluation], Makes("recsys.task.retrieval.evaluation.CatalogueEvaluation", later=("oracle",))
    ]

    def model(self, config: TrainConfig, schema: Schema) -> TwoTower:
        """Two towers with new weights; see `Task.model`."""
        return component(config.model, TwoTower, "model", remedy="model=two_tower")(schema=schema)

    def check(self, config: TrainConfig) -> None:
        """See `Task.check`."""
        ids = {"data.user": config.data.user, "data.item": config.data.item}
        absent = [key for key, column in ids.items() if column is None]
        if absent:
            keys, remedy = " and ".join(absent), "name the column, or use task=ranking"
            raise ConfigError(Fault(f"retrieval recommends items to users, and {keys} is null", keys, remedy))
        component(config.model, TwoTower, "model", remedy="model=two_tower")
        component(config.loss, RetrievalLoss, "loss", remedy="loss=softmax")()
        require_monitors(config, self.evaluation().validated())

    def parts(self, config: TrainConfig, store: Store, source: Source) -> Parts:
        """Everything that a retrieval run needs; see `Task.parts`."""
        self.check(config)
        loss = component(config.loss, RetrievalLoss, "loss", remedy="loss=softmax")
        model = self.model(config, store.schema)
        window = model.user_tower.window
        rows = partial(Sequences, length=window) if window else PositiveRows
        loader = build(config.loader)(store=store, seed=config.seed, rows=rows, evaluated=EvaluationUsers)
        evaluation = self.evaluation(oracle=oracle_of_test(source, store))
        module = RetrievalModule(
            model,
            loss(),
            candidates=self.candidates(item_count=loader.catalogue.count, seed=config.seed),
            optimizer=build(config.optimizer),
            scheduler=build(config.scheduler),
            catalogue=loader.catalogue,
            known=loader.known if self.mask_known else None,
            unread=columns_without_unknown(store),
            evaluation=evaluation,
            seed=config.seed,
        )
        known = {"name": config.data.name, "evaluation": evaluation, "model": model, "catalogue": loader.catalogue}
        return Parts(module, loader, evaluation, partial(write_evidence, store=store, source=source, **known))
