"""Turns finished runs into a released bundle: rebuild the models, write the graphs, let them pass the gates, publish."""

from pathlib import Path

from rich.console import Console

from recsys.config import ExportConfig, build
from recsys.errors import ConfigError, Fault
from recsys.export.bundle import export_bundle
from recsys.export.gates import floor_gates, refuse
from recsys.export.pairing import check_pair, joined_metrics
from recsys.export.production import Production
from recsys.export.release import release_of
from recsys.export.section import Section
from recsys.logger.wandb import send_bundle
from recsys.report.bundle import bundle_table
from recsys.run.directory import BUNDLE, RunDirectory
from recsys.task.base import facet


def export_run(config: ExportConfig) -> Path:
    """Export a run as <run>/bundle: ONNX graphs with raw inputs, schema, metrics, golden requests and manifest; item vectors.

    With `ranker=`, the bundle of a retrieval run holds the ranker of another run too. Both must have been trained on the same data.

    Metrics are those of the exported weights: of `checkpoint=last` the validation metrics, unless these weights were also the best.
    A bundle is published only if it passes every gate; each has an exit code of its own. What stands in its place stays otherwise.

    Returns:
        The folder of the bundle.
    """
    production = None if config.against is None else Production.open(config.against)
    run = RunDirectory.finished(config.run)
    runs = [run] if config.ranker is None else [run, RunDirectory.finished(config.ranker)]
    if len(runs) > 1:
        check_pair(*runs)
    configs = [each.config for each in runs]  # checked before anything that their runs name is opened
    assert all(configs)
    stores = {each.store.path: each.store for each in runs}
    for store in stores.values():
        store.check_sources()

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
        release=release_of(config, runs, production=production, index=index, reliability=curves),
    )
    Console().print(bundle_table(manifest))
    if not config.dry_run:
        send_bundle(run.path)
    print(f"{'would publish' if config.dry_run else 'bundle'}: {run.path / BUNDLE}")
    return run.path / BUNDLE
