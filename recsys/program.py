"""The program as Python calls it: compose a config, train a run, test it again. `train.py` and `export.py` call the same functions.

run = recsys.train(recsys.compose("task=ranking", "data=mine"))
"""

import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, overload

from pytorch_lightning import seed_everything
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from recsys.config import ExportConfig, TrainConfig, build, plain, schema_of
from recsys.config.compose import AUTO, composed_run, require_visible
from recsys.config.files import conf_folders
from recsys.config.launch import launch
from recsys.config.processes import handed_on, require_one_directory
from recsys.config.target import component_name
from recsys.data.store import Store
from recsys.data.store.prepare import store_of
from recsys.disk import writing
from recsys.errors import ConfigError, DataError, Fault
from recsys.logger.wandb import finish_logging
from recsys.report.run import publish_result
from recsys.run.checkpoint import load_checkpoint
from recsys.run.cost import Cost
from recsys.run.directory import CHECKPOINTS, COST, LINEAGE, LOG, LOGGED, SCHEMA, RunDirectory, write_tested
from recsys.run.hardware import build_trainer, hardware_facts, hardware_lines
from recsys.run.lineage import write_lineage
from recsys.run.metrics_log import MetricsLog
from recsys.run.process import keep_memory, log_file, signals_restored
from recsys.run.resume import Start, best_weights, place_of, require_plain_places, start
from recsys.sweep.sweeper import register, trial_faults

log = logging.getLogger(__name__)


@overload
def compose(*overrides: str, conf: Path | str | None = None, program: Literal["train"] = "train") -> TrainConfig: ...
@overload
def compose(*overrides: str, conf: Path | str | None = None, program: Literal["export"]) -> ExportConfig: ...
def compose(*overrides: str, conf: Path | str | None = None, program: Literal["train", "export"] = "train") -> TrainConfig | ExportConfig:
    """The config of a command line, checked as the command line is; Hydra keeps nothing of it.

    Args:
        overrides: as on the command line, such as "task=ranking" or "model.dim=32".
        conf: folder of all yaml files; None: those of `conf` in the working directory, and of this program where it has none.
    Raises:
        ConfigError: with every fault at once.

    Example:
        >>> config = compose("task=ranking", "seed=1")
        >>> config.seed, config.data.name, config.monitor
        (1, 'shop', 'val/log_loss')
        >>> compose("run=outputs/retrieval/shop/1", program="export").k
        100
    """
    register()
    texts = [text for text in overrides if text.lstrip("+~").startswith("hydra")]
    if texts:
        what, remedy = "Hydra's own keys are those of the command line", "remove it; train(config, run=DIR) names the directory"
        raise ConfigError(*(Fault(what, text, remedy) for text in texts))
    if conf is not None and not Path(conf).is_dir():
        raise ConfigError(
            Fault("there is no such folder", f"compose(conf={str(conf)!r})", "name the folder of all yaml files, or leave it out")
        )
    if program not in ("train", "export"):
        raise ConfigError(Fault(f"there is no program {program!r}", "compose(program=...)", 'use "train" or "export"'))
    folders = conf_folders(None if conf is None else Path(conf))
    trains = program == "train"
    root, sweeps = (TrainConfig, trial_faults) if trains else (ExportConfig, None)
    config, _ = composed_run(folders, program, list(overrides), root, resumes=trains, sweeps=sweeps)
    return config


def train(config: TrainConfig, run: Path | str | None = None) -> Path:
    """Train a recommender: prepare the data, fit, keep the best weights by a validation metric, test once, report.

    Everything a run leaves behind is in its directory: config.yaml, schema.json, lineage.json, checkpoints, metrics.jsonl, tested.json,
    metrics.json, train.log, report.html and the tables it is made of. The last line printed is `run: <directory>`, which is returned.

    Args:
        run: its directory; None: that of `resume`, or `outputs/<task>/<data>/<time>`.
    Raises:
        RecsysError: what, where and remedy.
        SystemExit: a signal stopped the run, whose state is saved.

    Example:
        >>> from contextlib import redirect_stdout
        >>> from io import StringIO
        >>> from tempfile import mkdtemp
        >>> home = Path(mkdtemp())
        >>> shop = ["data.source.num_users=200", "data.source.num_items=300", "data.source.num_impressions=9000"]
        >>> shop += [f"data.source.folder={home}/shop", f"data.store={home}/store", "data.max_unknown_share=1"]
        >>> fast = ["model.dim=4", "trainer.max_epochs=1", "task.evaluation.intervals=0"]
        >>> with redirect_stdout(StringIO()) as printed:
        ...     run = train(compose(*shop, *fast), home / "run")
        >>> printed.getvalue().splitlines()[-1] == f"run: {run}", (run / "metrics.json").is_file()
        (True, True)
    """
    if not isinstance(config, TrainConfig):
        what = f"train takes the config of a run, and this is {type(config).__name__}"
        raise ConfigError(Fault(what, "train(config)", 'compose it with program="train"'))
    folder = _directory(config, run)
    require_plain_places(config, folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    is_first = rank_zero_only(lambda: True)() is True
    with ExitStack() as stack:
        stack.enter_context(signals_restored())
        if is_first:
            stack.enter_context(log_file(folder / LOG))
            if (config.trainer.get("devices"), config.trainer.get("num_nodes")) != (1, 1):
                stack.enter_context(handed_on(plain(config), folder, "recsys.program"))
        begun = start(config, folder, is_first=is_first)
        if begun.lock is not None:
            stack.enter_context(begun.lock)
        _train(config, folder, begun)
    return folder


def _directory(config: TrainConfig, run: Path | str | None) -> Path:
    if run is not None:
        return place_of(config, Path(run).absolute(), fixed=True)
    if config.resume not in (None, AUTO):
        return Path(config.resume).resolve()
    require_one_directory([], multirun=False)
    runs = Path("outputs", component_name(config.task), config.data.name).absolute()
    while (new := runs / f"{datetime.now():%Y-%m-%d_%H-%M-%S}").exists():
        time.sleep(0.1)
    return place_of(config, new, fixed=False)


def _train(config: TrainConfig, run: Path, begun: Start) -> None:
    if begun.finished:
        if begun.before is not None and not begun.before.store_path.exists():  # an export and a test read it
            store_of(config.data, build(config.data.source))
        print(f"nothing is left to do\nrun: {run}")
        return
    cost, hardware = Cost(), hardware_facts(config.trainer)
    say(hardware_lines(hardware))
    keep_memory()
    seed_everything(config.seed, workers=True, verbose=False)

    source = build(config.data.source)
    if faults := schema_of(config.data).reserved_name_faults():
        raise DataError(*faults)
    task = build(config.task)
    task.check(config)
    saver = build(config.checkpoint)(resume_from=begun.resume_from, begin=lambda: rank_zero_only(begun.keep_config)(config))
    loggers = [MetricsLog(run / LOGGED), *(logger(save_dir=run) for logger in build(config.logger).values())]
    callbacks = [cost, saver, *build(config.callbacks).values()]
    trainer = build_trainer(config.trainer)(callbacks=callbacks, logger=loggers, default_root_dir=run)

    with cost.stage("prepare"):
        store = store_of(config.data, source)
    others = best_weights(task.other_runs())
    begun.require_same(store.path, others, config)
    record_data(store, run, hardware=hardware, others=others, goes_on=begun.goes_on)
    parts = task.parts(config, store, source)
    module, evaluation = parts.module, parts.evaluation

    trainer.fit(module, datamodule=parts.loader)
    if config.trainer.get("fast_dev_run"):  # Lightning neither logs nor saves then
        print(f"trainer.fast_dev_run went through: it leaves no weights and no metrics; train without it for those\nrun: {run}")
        return
    best = load_checkpoint(module.model, run / CHECKPOINTS / "best")
    trainer.test(module, datamodule=parts.loader, verbose=False)
    notes = [*evaluation.notes, *_part_of_test(trainer)]
    if notes == evaluation.notes:
        rank_zero_only(write_tested)(run, best["sha256"])

    tested = {key: value for key, value in evaluation.results.items() if not key.startswith("val/")}
    results = best["metrics"] | tested  # validation as the tested weights had it
    with cost.stage("report"):
        rank_zero_only(parts.write_evidence)(run)
    rank_zero_only(cost.save)(run / COST, baselines_s=evaluation.baselines_s)
    names = {"task": component_name(config.task), "model": component_name(config.model)}
    rank_zero_only(publish_result)(results, run, **names, notes=notes)
    rank_zero_only(finish_logging)(loggers)


def _part_of_test(trainer: Any) -> list[str]:
    """The sentence that says that only a part of the test was looked at; [] where it was all."""
    limit = trainer.limit_test_batches
    if limit == 1.0 and isinstance(limit, float):
        return []
    return [f"trainer.limit_test_batches={limit}: these are figures of a part of the test, so this run is not marked as tested"]


@rank_zero_only
def record_data(store: Store, run: Path, *, hardware: Mapping[str, Any], others: Mapping[str, str], goes_on: bool) -> None:
    """Write the data and origin of a run into its directory, and print the notes on the data."""
    store.schema.save(run / SCHEMA)
    write_lineage(run / LINEAGE, store=store.path, hardware=hardware, others=others, goes_on=goes_on)
    say(store.notes)


@rank_zero_only
def say(notes: Iterable[str]) -> None:
    """Print sentences for whoever looks at the terminal, and write them into train.log."""
    for note in notes:
        log.info(note)
        Console().print(note, highlight=False, soft_wrap=True)


def evaluate(run: Path | str) -> dict[str, float]:
    """The `test/` keys of a finished run's metrics.json, from testing its best weights again in this process; nothing is written.

    Raises:
        RecsysError: the run did not finish, or its weights are not those that were tested.

    Example:
        >>> from tempfile import mkdtemp
        >>> evaluate(mkdtemp())
        Traceback (most recent call last):
        recsys.errors.ConfigError: 1 problem:
          1. there is no config.yaml...
    """
    finished = RunDirectory.finished(Path(run))
    require_visible(finished.plain, finished.path)
    config, store = finished.config, finished.store
    seed_everything(config.seed, workers=True, verbose=False)
    parts = build(config.task).parts(config, store, build(config.data.source))
    parts.module.model.load_state_dict(finished.model()[0].state_dict())
    with TemporaryDirectory() as folder, log_file(Path(folder) / LOG), signals_restored():
        lone = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
        trainer = build_trainer(config.trainer)(logger=False, default_root_dir=folder, **lone)
        trainer.test(parts.module, datamodule=parts.loader, verbose=False)
    return {key: value for key, value in parts.evaluation.results.items() if key.startswith("test/")}


if __name__ == "__main__":  # as a process that Lightning starts beside the first one of a run
    launch(train, TrainConfig, name="train", about=train.__doc__ or "", examples=())
