"""The parts of a run, put together as its config says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytorch_lightning import Callback, LightningModule
from torch import Tensor
from torch.nn.functional import pad

from recsys.balance.base import Balance
from recsys.calibration.base import Calibration
from recsys.candidates.base import Candidates
from recsys.config import DataConfig, TrainConfig, build, schema_of
from recsys.data.read.datamodule import DataModule
from recsys.data.read.impressions import EvaluationImpressions, Impressions
from recsys.data.read.oracle import impressions_of_test, oracle_of_test, oracles_of_candidates
from recsys.data.read.rows import EvaluationUsers, PositiveRows, Sequences
from recsys.data.store import Store
from recsys.data.store.prepare import prepare
from recsys.errors import ConfigError, Fault, listed
from recsys.loss.base import RetrievalLoss
from recsys.model.two_tower import TwoTower
from recsys.run.finished import FinishedRun, fitting, model_of, ranking_loss, ranks
from recsys.schema import Schema, chains
from recsys.schema.differences import differences
from recsys.source.base import Source
from recsys.task.leave import leave_lists, leave_predictions
from recsys.task.ranking.pair import Pair
from recsys.task.ranking.teacher import REMEDY, Teacher, teacher_faults
from recsys.task.tables import item_sample


@dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        task: what is trained.
        loader: what feeds it.
        inform: gives the evaluation callback what it compares with: the truth, where the source knows it, and the retriever of a pair.
        leave: writes what the evaluation callback found at test into the run directory, beside its metrics.
    """

    task: LightningModule
    loader: DataModule
    inform: Callable[[Callback, Source], None]
    leave: Callable[[Path, Callback, Source], None]


def assembled(config: TrainConfig, store: Store) -> Parts:
    """The parts of a retrieval run, or of a ranking run.

    Args:
        store: the prepared data that `config.data` describes.
    Raises:
        ConfigError: a part refuses its values, or parts do not fit each other.
    """
    return _ranking(config, store) if ranks(config) else _retrieval(config, store)


def store_of(data: DataConfig, source: Source) -> Store:
    """The data of a run, prepared now unless it already is; see `prepare`."""
    return prepare(
        source,
        schema_of(data),
        build(data.split),
        folder=data.store,
        bad_rows=data.bad_rows,
        max_unknown_share=data.max_unknown_share,
        max_feature_auc=data.max_feature_auc,
    )


def _retrieval(config: TrainConfig, store: Store) -> Parts:
    _require_ids(store.schema)
    if config.retriever is not None:
        raise ConfigError(Fault("this run trains a retriever itself", "retriever", "add task=ranking, or leave retriever out"))
    if config.teacher.run is not None:
        raise ConfigError(Fault("retrieval learns from no teacher", "teacher.run", "remove the key, or use task=ranking"))
    loss = fitting(config.loss, RetrievalLoss, "loss", "loss=softmax")
    candidates = fitting(config.candidates, Candidates, "candidates", "candidates=mixed")
    model = model_of(config, store.schema)
    window = model.user_tower.window
    rows = partial(Sequences, length=window) if window else PositiveRows
    loader = build(config.loader)(store=store, seed=config.seed, rows=rows, evaluated=EvaluationUsers)
    if loader.keep_negatives != 1:
        what = "retrieval learns from positive rows alone: there are no negatives to leave out"
        raise ConfigError(Fault(what, "loader.keep_negatives", "remove the key, or use task=ranking"))
    task = build(config.task)(
        model=model,
        candidates=candidates(item_count=loader.catalogue.count, seed=config.seed),
        loss=loss(),
        optimizer=build(config.optimizer),
        scheduler=build(config.scheduler),
        catalogue=loader.catalogue,
        known=lambda: loader.known,
        seed=config.seed,
    )

    def inform(evaluation: Callback, source: Source) -> None:
        evaluation.oracle = oracle_of_test(source, store)

    def leave(run: Path, evaluation: Callback, source: Source) -> None:
        items = item_sample(store)
        leave_lists(
            run,
            store,
            source,
            name=config.data.name,
            values=evaluation.per_user,
            recommended=evaluation.recommended,
            exclude_known=evaluation.exclude_known,
            items=items,
            vectors=_vectors(model, loader, items),
        )

    return Parts(task, loader, inform, leave)


def _vectors(model: TwoTower, loader: DataModule, items: Tensor) -> Tensor:
    """[items, D] of entity indices."""
    catalogue = loader.catalogue.to(next(model.parameters()).device)
    return model.catalogue(catalogue.rows(pad(items, (1, 0)).to(catalogue.count.device)))[1:]


def _ranking(config: TrainConfig, store: Store) -> Parts:
    labels = store.schema.labels
    if not labels:
        raise ConfigError(Fault("there is no label to predict", "data.labels", "name 0/1 columns of the interactions, such as click"))
    balance = fitting(config.balance, Balance, "balance", "balance=fixed")
    calibration = fitting(config.calibration, Calibration, "calibration", "calibration=platt")
    loader = build(config.loader)(store=store, seed=config.seed, rows=Impressions, evaluated=EvaluationImpressions)
    sample = loader.negative_sample
    task = build(config.task)(
        model=model_of(config, store.schema),
        loss=ranking_loss(config, store.schema),
        balance=balance(labels=tuple(label.column for label in labels)),
        calibration=calibration,
        optimizer=build(config.optimizer),
        scheduler=build(config.scheduler),
        schema=store.schema,
        kept_share=1.0 if sample is None else sample.share,
        teacher=_teacher(config, store.schema),
        seed=config.seed,
    )
    pair = _pair(config, store)

    def inform(evaluation: Callback, source: Source) -> None:
        evaluation.oracle = impressions_of_test(source, store)
        evaluation.pair = pair(source)

    def leave(run: Path, evaluation: Callback, source: Source) -> None:
        leave_predictions(run, store, source, name=config.data.name, predicted=evaluation.predicted)

    return Parts(task, loader, inform, leave)


def _pair(config: TrainConfig, store: Store) -> Callable[[Source], Pair | None]:
    """Makes what measures this run behind the one that `retriever` names; None where it names none."""
    if config.retriever is None:
        return lambda source: None
    run, schema = FinishedRun.open(config.retriever), store.schema
    faults = list(_unfit(run, config, schema))
    if faults:
        raise ConfigError(*faults)
    labels = chains(schema.labels)[schema.positive]
    model, _ = run.model()
    exclude_known = run.config.callbacks["evaluation"]["exclude_known"]
    pair = partial(fitting(config.pair, Pair, "pair", "that of conf/task/ranking.yaml"), retriever=model, exclude_known=exclude_known)
    return lambda source: pair(labels=labels, truths=oracles_of_candidates(source, store, labels))


def _unfit(run: FinishedRun, config: TrainConfig, schema: Schema) -> Iterator[Fault]:
    """Why a run's model cannot retrieve for this one."""
    if run.ranks:
        yield Fault("the run trained a ranker", f"retriever={run.path}", "name a retrieval run; python train.py makes one")
        return
    apart = differences(run.schema, schema) + (["data.split"] if run.config.data.split != config.data.split else [])
    if apart:
        what = f"the retriever was trained on other data, which differ in {listed(apart)}"
        yield Fault(what, f"retriever={run.path}", "train one of the two again, with the same data options as the other")
    if schema.positive not in [label.column for label in schema.labels if label.kind == "binary"]:
        what = f"no 0/1 label says what a candidate is worth: data.positive is {schema.positive or 'null'}"
        yield Fault(what, "data.positive", "name the label that makes a row positive, such as click, in both runs")


def _teacher(config: TrainConfig, schema: Schema) -> Teacher | None:
    """The best weights of the run that `teacher.run` names; a ConfigError says what keeps it from teaching this one."""
    if config.teacher.run is None:
        return None
    run = FinishedRun.open(config.teacher.run)
    if not run.ranks:
        raise ConfigError(Fault("the teacher is a retrieval run", str(run.path), "name the directory of a ranking run"))
    faults = list(teacher_faults(run.schema, schema))
    if run.config.data.split != config.data.split:
        what = "the teacher's run divided its data another way: it may have learnt from rows that this one is tested on"
        faults.append(Fault(what, "data.split", REMEDY))
    if faults:
        raise ConfigError(*faults)
    model, about = run.model()
    return Teacher(model, run.calibrations(about), labels=schema.labels, weight=config.teacher.weight)


def _require_ids(schema: Schema) -> None:
    absent = [f"data.{name}" for name, column in (("user", schema.user), ("item", schema.item)) if column is None]
    if absent:
        keys = " and ".join(absent)
        raise ConfigError(Fault(f"retrieval recommends items to users, and {keys} is null", keys, "name the column, or use task=ranking"))
