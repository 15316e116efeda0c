"""Turn a finished run into a verified bundle: rebuild the model, write its graphs, compare them with it, publish."""

import json
from pathlib import Path

import torch
from rich.console import Console

from recsys.callback.checkpoint import load_checkpoint
from recsys.config import ExportConfig, TrainConfig, build
from recsys.config.check import load_config
from recsys.config.launch import launch
from recsys.data.rows import EvaluationUsers
from recsys.data.store import Store
from recsys.export.bundle import PARITY_ROWS, export_bundle
from recsys.report.bundle import bundle_table
from recsys.schema import Schema

EXAMPLES = (
    "python export.py run=outputs/retrieval/shop/<time>",
    "python export.py run=outputs/retrieval/shop/<time> checkpoint=last",
)


def export(config: ExportConfig, folder: Path) -> None:
    """Export a run as <run>/bundle: ONNX graphs with raw inputs, item vectors, schema, metrics and a manifest.

    The graphs are compared with the model on real rows; a bundle that answers differently is not published (exit code 4).
    """
    run = config.run
    trained = load_config(run / "config.yaml", TrainConfig)
    schema = Schema.load(run / "schema.json")
    store = Store.open(Path(json.loads((run / "data.json").read_text())["store"]))
    store.check_sources()
    model = build(trained.model)(schema=schema)
    load_checkpoint(model, run / "checkpoints" / config.checkpoint)
    users = EvaluationUsers(store, "test")

    manifest = export_bundle(
        model.eval(),
        schema,
        vocabulary_path=lambda column: store.vocabulary_path(schema.table(column)),
        item_features={column: values if values.is_floating_point() else values.long() for column, values in store.item_features.items()},
        item_ids=store.item_ids,
        user_features=users.batch(torch.arange(min(len(users), PARITY_ROWS))).features,
        metrics=json.loads((run / "metrics.json").read_text()),
        folder=run / "bundle",
        k=config.k,
        seed=trained.seed,
    )
    Console().print(bundle_table(manifest))
    print(f"bundle: {run / 'bundle'}")


if __name__ == "__main__":
    launch(export, ExportConfig, conf=Path(__file__).parent / "conf", examples=EXAMPLES)
