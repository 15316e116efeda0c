"""Turn a finished run, or one of each task, into a verified bundle: rebuild the model, write its graphs, compare them with it, publish."""

from pathlib import Path

import torch
from rich.console import Console

from recsys.config import ExportConfig
from recsys.config.launch import launch
from recsys.data.impressions import EvaluationImpressions
from recsys.data.rows import EvaluationUsers
from recsys.export.bundle import export_bundle
from recsys.export.ranking import PARITY_ROWS as IMPRESSIONS_COMPARED
from recsys.export.ranking import RankingSection
from recsys.export.retrieval import PARITY_ROWS as USERS_COMPARED
from recsys.export.retrieval import RetrievalSection
from recsys.model.base import Ranker
from recsys.model.two_tower import TwoTower
from recsys.pairing import check_pair, joined_metrics
from recsys.rebuild import FinishedRun
from recsys.report.bundle import bundle_table

EXAMPLES = (
    "python export.py run=outputs/retrieval/shop/<time>",
    "python export.py run=outputs/retrieval/shop/<time> checkpoint=last",
    "python export.py run=outputs/ranking/shop/<time>",
    "python export.py run=outputs/retrieval/shop/<time> ranker=outputs/ranking/shop/<time>",
)


def export(config: ExportConfig, folder: Path) -> None:
    """Export a run as <run>/bundle: ONNX graphs with raw inputs, schema, metrics and a manifest; of a retrieval run also item vectors.

    With `ranker=`, the bundle of a retrieval run holds the ranker of another run too. Both must have been trained on the same data.

    Metrics are those of the exported weights: of `checkpoint=last` the validation metrics, unless these weights were also the best.
    The graphs are compared with the model on real rows; a bundle that answers differently is not published (exit code 4).
    """
    run = FinishedRun.open(config.run)
    runs = [run] if config.ranker is None else [run, FinishedRun.open(config.ranker)]
    if len(runs) > 1:
        check_pair(*runs)
    for store in {each.store.path: each.store for each in runs}.values():
        store.check_sources()

    sections, metrics, checkpoint = [], {}, {}
    for each in runs:
        model, about = each.model(config.checkpoint)
        sections.append(ranking_section(each, model) if each.ranks else retrieval_section(each, model, config.k))
        metrics = joined_metrics(metrics, each.metrics(about))
        checkpoint[each.task] = {"run": str(each.path)} | {key: about[key] for key in ("step", "epoch", "sha256")}
    manifest = export_bundle(
        sections,
        run.schema,
        vocabulary_path=lambda column: run.store.vocabulary_path(run.schema.table(column)),
        metrics=metrics,
        checkpoint=checkpoint,
        folder=run.path / "bundle",
    )
    Console().print(bundle_table(manifest))
    print(f"bundle: {run.path / 'bundle'}")


def retrieval_section(run: FinishedRun, model: TwoTower, k: int) -> RetrievalSection:
    """The towers, compared on users of the test."""
    store, users = run.store, EvaluationUsers(run.store, "test")
    return RetrievalSection(
        model,
        item_features={column: values if values.is_floating_point() else values.long() for column, values in store.item_features.items()},
        item_ids=store.item_ids,
        user_features=users.batch(torch.arange(min(len(users), USERS_COMPARED))).features,
        k=k,
        seed=run.config.seed,
    )


def ranking_section(run: FinishedRun, model: Ranker) -> RankingSection:
    """The ranker with its calibrations, compared on impressions of the test."""
    impressions = EvaluationImpressions(run.store, "test")
    features = impressions.batch(torch.arange(min(len(impressions), IMPRESSIONS_COMPARED))).features
    return RankingSection(model, run.calibrations(), features, run.config.seed)


if __name__ == "__main__":
    launch(export, ExportConfig, conf=Path(__file__).parent / "conf", examples=EXAMPLES)
