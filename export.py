"""Turn a finished run into a verified bundle: rebuild the model, write its graphs, compare them with it, publish."""

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
from recsys.rebuild import FinishedRun
from recsys.report.bundle import bundle_table

EXAMPLES = (
    "python export.py run=outputs/retrieval/shop/<time>",
    "python export.py run=outputs/retrieval/shop/<time> checkpoint=last",
    "python export.py run=outputs/ranking/shop/<time>",
)


def export(config: ExportConfig, folder: Path) -> None:
    """Export a run as <run>/bundle: ONNX graphs with raw inputs, schema, metrics and a manifest; of a retrieval run also item vectors.

    Metrics are those of the exported weights: of `checkpoint=last` the validation metrics, unless these weights were also the best.
    The graphs are compared with the model on real rows; a bundle that answers differently is not published (exit code 4).
    """
    run = FinishedRun.open(config.run)
    run.store.check_sources()
    model, about = run.model(config.checkpoint)
    section = ranking_section(run, model) if run.ranks else retrieval_section(run, model, config.k)

    manifest = export_bundle(
        [section],
        run.schema,
        vocabulary_path=lambda column: run.store.vocabulary_path(run.schema.table(column)),
        metrics=run.metrics(about),
        checkpoint={key: about[key] for key in ("step", "epoch", "sha256")},
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
