"""Export a run as <run>/bundle: ONNX graphs with raw inputs, schema, metrics, golden requests and manifest; item vectors.

With `ranker=`, the bundle of a retrieval run holds the ranker of another run too. Both must have been trained on the same data.

Metrics are those of the exported weights: of `checkpoint=last` the validation metrics, unless these weights were also the best.
A bundle is published only if it passes every gate; each has an exit code of its own. What stands in its place stays otherwise.
"""

from recsys.config import ExportConfig
from recsys.config.launch import launch
from recsys.export.program import export_run

EXAMPLES = (
    "python export.py run=outputs/retrieval/shop/<time>",
    "python export.py run=outputs/retrieval/shop/<time> checkpoint=last",
    "python export.py run=outputs/retrieval/shop/<time> ranker=outputs/ranking/shop/<time>",
    "python export.py run=<run> 'gate.min={test/recall@20: 0.1}' gate.p99_ms=5 gate.size_mb=50 --dry-run",
    "python export.py run=<run> against=/srv/models/bundle",
    "python export.py run=<run> quantize=int8_dynamic",
    "python export.py run=<run> index=hnsw",
    "python export.py run=<run> sign=keys/release                 or --sign keys/release",
)

if __name__ == "__main__":
    launch(
        lambda config, _: export_run(config),
        ExportConfig,
        name="export",
        about=__doc__ or "",
        examples=EXAMPLES,
        flags={"--dry-run": "dry_run=true", "--sign": "sign="},
    )
