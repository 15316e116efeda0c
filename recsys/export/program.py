"""Turns finished runs into a released bundle: rebuild the models, write the graphs, let them pass the gates, publish."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from recsys.config import ExportConfig, build, flattened
from recsys.data.read.facts import data_facts
from recsys.data.store.prepare import check_sources
from recsys.disk import file_sha256
from recsys.errors import ConfigError, Fault, name_list
from recsys.export.bundle import Release, export_bundle
from recsys.export.gates import floor_gates, refuse
from recsys.export.index.base import SearchIndex
from recsys.export.production import Production
from recsys.export.section import Section
from recsys.export.sign import private_key
from recsys.logger.wandb import send_bundle
from recsys.report.release import bundle_table
from recsys.run.directory import BUNDLE, CONFIG, RunDirectory
from recsys.run.lineage import CODE, git, lock
from recsys.schema import differences
from recsys.task.base import facet


def export_run(config: ExportConfig) -> Path:
    """Export a run as <run>/bundle, and return it: ONNX graphs with raw inputs, item vectors, schema, metrics, golden requests, manifest.

    With `ranker`, the bundle of a retrieval run holds the ranker of another run on the same data too. Metrics are those of the exported
    weights: of `checkpoint=last` the validation metrics, unless these weights were also the best. A bundle is published only if it passes
    every gate; otherwise what stands in its place stays.
    """
    if not isinstance(config, ExportConfig):
        what = f"export_run takes the config of an export, and this is {type(config).__name__}"
        raise ConfigError(Fault(what, "export_run(config)", 'compose("run=DIR", program="export")'))
    key = None if config.sign is None else private_key(config.sign.expanduser())
    production = None if config.against is None else Production.open(config.against)
    run = RunDirectory.finished(config.run)
    runs = [run] if config.ranker is None else [run, RunDirectory.finished(config.ranker)]
    if len(runs) > 1:
        check_pair(*runs)
    for each in runs:
        _ = each.config  # checked before anything that the run names is opened
    for store in {each.store.path: each.store for each in runs}.values():
        check_sources(store)

    if config.index is not None and not any(facet(each.task, "export").SEARCHES for each in runs):
        remedy = "leave it out, or name a run of a task that answers items of its catalogue"
        raise ConfigError(Fault(f"an index finds items of a catalogue, and a {run.task} run searches none", "index", remedy))
    index = None if config.index is None else build(config.index)
    sections: list[Section] = []
    metrics: dict[str, float | None] = {}
    checkpoint: dict[str, dict] = {}
    curves: dict[str, dict] = {}
    for each in runs:
        model, about = each.model(config.checkpoint)
        sections.append(facet(each.task, "export").section_of(each, model, about, config.k))
        metrics = joined_metrics(metrics, each.metrics_of(about))
        checkpoint[each.task] = {"run": str(each.path)} | {key: about[key] for key in ("step", "epoch", "sha256")}
        curves |= each.reliability if each.is_tested(about) else {}
    refuse(floor_gates(metrics, config.gate.min), run.path / BUNDLE)  # before test data is read
    manifest = export_bundle(
        sections,
        run.schema,
        vocabulary_path=lambda column: run.store.vocabulary_path(run.schema.table(column)),
        metrics=metrics,
        checkpoint=checkpoint,
        folder=run.path / BUNDLE,
        release=replace(_release(config, runs, production, index, curves), key=key),
    )
    Console().print(bundle_table(manifest))
    if not config.dry_run:
        send_bundle(run.path)
    print(f"{'would publish' if config.dry_run else 'bundle'}: {run.path / BUNDLE}")
    return run.path / BUNDLE


def _release(
    config: ExportConfig,
    runs: Sequence[RunDirectory],
    production: Production | None,
    index: SearchIndex | None,
    reliability: Mapping[str, Mapping],
) -> Release:
    """Limits, comparisons and facts for the release of these runs; a ConfigError where production reads columns that the test data lack."""
    if production is not None:
        production.check_columns(runs[0].schema, [run.task for run in runs])
    measured = any(each is not None for each in (production, config.quantize, index))
    lengths = {} if production is None else production.lengths()
    return Release(
        limits=config.gate,
        against=production,
        quantization=None if config.quantize is None else build(config.quantize),
        index=index,
        questions={run.task: facet(run.task, "export").questions_of(run, lengths) for run in runs if measured},
        lineage=lineage(runs),
        reliability=reliability,
        dry_run=config.dry_run,
    )


def lineage(runs: Sequence[RunDirectory]) -> dict:
    """The manifest's "lineage": code and lock file of the export, data by hashes, counts and dates, saved configs, and the runs' own."""
    train = {}
    for run in runs:
        recorded = {key: value for key, value in run.lineage.items() if key != "store"}  # a folder of one machine
        train[run.task] = {**recorded, "config_sha256": file_sha256(run.path / CONFIG)}
    return {
        "git": git(CODE),
        "lock": lock(CODE),
        "data": {run.task: data_facts(run.store, run.config.data.name) for run in runs},
        "config": {run.task: run.plain for run in runs},
        "seed": {run.task: run.config.seed for run in runs},
        "train": train,
    }


def check_pair(run: RunDirectory, ranker: RunDirectory) -> None:
    """A ConfigError where two runs do not fit into one bundle, with the task of each, or what of their data differs."""
    if (_place(run), _place(ranker)) != ("run", "ranker"):
        raise ConfigError(_wrong_tasks(run, ranker))
    if unequal := differences(run.schema, ranker.schema):
        what = f"a bundle has one schema, and the runs were trained on different data, which differ in {name_list(unequal)}"
        raise ConfigError(Fault(what, f"{run.path} and {ranker.path}", _same_data(run, ranker)))


def joined_metrics(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> dict[str, float | None]:
    """The metrics of both; a ConfigError where one name stands for two values."""
    if unequal := [key for key in one if key in other and one[key] != other[key]]:
        what = f"both runs have metrics of these names, with other values: {name_list(unequal)}"
        raise ConfigError(Fault(what, "metrics of run and ranker", "export each run alone, with run= and no ranker="))
    return {**one, **other}


def _place(run: RunDirectory) -> str:
    """Key of export.yaml that names a run of this task where two make one bundle."""
    return facet(run.task, "export").PLACE


def _wrong_tasks(run: RunDirectory, ranker: RunDirectory) -> Fault:
    what = f"'run' names a {run.task} run and 'ranker' a {ranker.task} run, "
    if (_place(run), _place(ranker)) == ("ranker", "run"):
        what += "the other way round than they make one bundle"
        remedy = f"exchange them: python export.py run={ranker.path} ranker={run.path}"
    else:
        what += f"and both belong under '{_place(run)}'"
        remedy = f"name a run of another task as {'ranker' if _place(run) == 'run' else 'run'}=, "
        remedy += f"or export one alone: python export.py run={run.path}"
    return Fault(what, f"run={run.path}, ranker={ranker.path}", remedy)


def _same_data(run: RunDirectory, ranker: RunDirectory) -> str:
    """What to type, or where to look if the settings are the same."""
    one, other = (dict(flattened(each.plain["data"], "data", lists=False)) for each in (run, ranker))
    unequal = [key for key in one if key in other and one[key] != other[key] and key != "data.store"]  # the folder changes nothing
    if not unequal:
        return "the settings are the same, so tables or code have changed in between: train both runs again"
    # lists are of columns, which are named already
    words = [key if isinstance(one[key], list) else f"{key} ({one[key]} and {other[key]})" for key in unequal]
    return f"train both with the same data=... and the same data settings; now they differ in {name_list(words)}"
