"""Train a recommender; the map of the program: compose, check, build, fit, test, report."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning import seed_everything
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from recsys.assemble import assembled, store_of
from recsys.config import TrainConfig, build, schema_of
from recsys.config.launch import launch
from recsys.config.target import component_name
from recsys.data.store import Store
from recsys.errors import DataError
from recsys.export.graph import reserved_name_faults
from recsys.logger.wandb import finish_logging
from recsys.report.result import publish_result
from recsys.run.checkpoint import load_checkpoint
from recsys.run.cost import COST, Cost
from recsys.run.directory import CHECKPOINTS, LOGGED, write_tested
from recsys.run.lineage import LINEAGE, write_lineage
from recsys.run.memory import keep_memory
from recsys.run.metrics_log import MetricsLog
from recsys.run.resume import interrupted, other_runs, start
from recsys.sweep.plugins import register

log = logging.getLogger(__name__)
EXAMPLES = (
    "python train.py                                          retrieval on the simulated shop",
    "python train.py task=ranking                             clicks and conversions of the same shop",
    "python train.py task=ranking retriever=outputs/retrieval/shop/<time>   and how it ranks what that run's model finds",
    "python train.py loss=softmax loss.temperature=0.05 seed=1",
    "python train.py tower@model.user=sequence loader.batch_size=64",
    "python train.py experiment=movielens data.root=<folder>",
    "python train.py trainer=ddp trainer.devices=4",
    "python train.py task=ranking model=shared_bottom teacher.run=outputs/ranking/shop/<time>",
    "python train.py -m loss=softmax,bpr seed=0,1,2",
    "python train.py resume=outputs/retrieval/shop/<time>     go on with an interrupted run; resume=auto finds it by its config",
    "python train.py -m sweep=retrieval",
    "python train.py -m sweep=retrieval data=movielens data.root=<folder> hydra/launcher=joblib hydra.launcher.n_jobs=4",
)


def train(config: TrainConfig, run: Path) -> None:
    """Train a recommender: prepare the data, fit, keep the best weights by a validation metric, test once, report.

    Everything a run leaves behind is in its directory: config.yaml, schema.json, lineage.json, checkpoints, metrics.jsonl,
    tested.json, metrics.json, train.log, report.html and the tables it is made of.
    The last line printed is `run: <directory>`; `python export.py run=<directory>` makes a bundle of it.
    """
    begun = start(config, run, is_first=rank_zero_only.rank == 0)
    if begun.finished:
        print(f"nothing is left to do\nrun: {run}")
        return
    cost = Cost()
    keep_memory()
    seed_everything(config.seed, workers=True, verbose=False)

    source = build(config.data.source)
    if faults := reserved_name_faults(schema_of(config.data)):
        raise DataError(*faults)
    callbacks = build(config.callbacks)
    loggers = [MetricsLog(run / LOGGED), *(logger(save_dir=run) for logger in build(config.logger).values())]
    trainer = build(config.trainer)(callbacks=[cost, *callbacks.values()], logger=loggers, default_root_dir=run)

    with cost.stage("prepare"):
        store = store_of(config.data, source)
    others = other_runs(config)
    begun.require_same(store.path, others, config)
    record_data(store, run, others=others, goes_on=begun.goes_on)
    parts = assembled(config, store)
    parts.inform(callbacks["evaluation"], source)

    callbacks["checkpoint"].resume_from = begun.resume_from
    rank_zero_only(begun.keep_config)(config)
    trainer.fit(parts.task, datamodule=parts.loader)
    best = load_checkpoint(parts.task.model, run / CHECKPOINTS / "best")
    trainer.test(parts.task, datamodule=parts.loader, verbose=False)
    rank_zero_only(write_tested)(run, best["sha256"])

    evaluation = callbacks["evaluation"]
    tested = {key: value for key, value in evaluation.results.items() if not key.startswith("val/")}
    results = best["metrics"] | tested  # validation as the tested weights had it
    with cost.stage("report"):
        rank_zero_only(parts.leave)(run, evaluation, source)
    rank_zero_only(cost.save)(run / COST, baselines_s=evaluation.baselines_s)
    names = {"task": component_name(config.task), "model": component_name(config.model)}
    rank_zero_only(publish_result)(results, run, **names, notes=evaluation.notes)
    rank_zero_only(finish_logging)(loggers)


@rank_zero_only
def record_data(store: Store, run: Path, *, others: Mapping[str, str], goes_on: bool) -> None:
    """Write down what the run is trained on and by, and say what was found in the data."""
    store.schema.save(run / "schema.json")
    write_lineage(run / LINEAGE, store=store.path, others=others, goes_on=goes_on)
    for note in store.notes:
        log.info(note)
        Console().print(note, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    register()
    launch(train, TrainConfig, conf=Path(__file__).parent / "conf", examples=EXAMPLES, interrupted=interrupted)
